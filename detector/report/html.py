"""``report.html``: one self-contained file that says what a scan found."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.offline
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector.report import figures, wording
from detector.report.data import ReportData, ranked_rings
from detector.report.listings import order_rows, ring_rows, seller_rows
from detector.report.summary import clause_rows, decision_rows, summarize

__all__ = ["ReportData", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"
_NETWORKS = 6


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure as the page holds it; ``spec`` is JSON that is safe inside a script element, or empty."""

    id: str
    title: str
    description: str
    height: int
    spec: Markup


def write_report(data: ReportData, path: Path) -> None:
    """Write the report of a scan to ``path``: HTML with its styles, scripts and charts inside.

    The same data give the same bytes. Everything but the charts can be read without JavaScript.
    """
    path.write_text(_render(data), encoding="utf-8", newline="\n")


def _render(data: ReportData) -> str:
    page = _environment().get_template("report.html.j2")
    scripts = [Markup(plotly.offline.get_plotlyjs()), _source("report.js")]
    rings = ring_rows(data.rings)
    victims = seller_rows(data, rings, victims=True)
    return page.render(
        summary=summarize(data),
        decisions=decision_rows(data.orders),
        clauses=clause_rows(data.orders, data.manifest),
        sellers=seller_rows(data, rings),
        victims=victims,
        rings=rings,
        orders=order_rows(data.orders, rings),
        charts=_charts(data),
        networks=_networks(data),
        manifest=_known(data.manifest),
        style=_source("report.css"),
        scripts=scripts,
        script_hashes=[_csp_hash(script) for script in scripts],
    )


_MANIFEST: dict[str, Any] = {
    "as_of": "",
    "package_version": "",
    "engine": "",
    "model_bundle": "",
    "policy": {"version": "", "sha256": ""},
    "orders_scored": 0,
    "peak_memory_mb": 0,
    "files": (),
    "tables": {},
    "rejects": (),
    "masked": {},
    "ignored_columns": {},
    "notes": (),
    "timings_seconds": {},
}


def _known(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with everything the template asks for; what is missing is empty."""
    known = {key: manifest.get(key) or default for key, default in _MANIFEST.items()}
    return known | {"policy": _MANIFEST["policy"] | known["policy"], "as_of": _minute(known["as_of"])}


def _minute(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%d %b %Y %H:%M}" if instant else ""


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"count": wording.count, "duration": wording.duration})
    environment.globals.update({"plural": wording.plural})
    return environment


def _source(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))


def _csp_hash(script: str) -> str:
    """The script as the page's content security policy names it: no other script of the file may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _charts(data: ReportData) -> dict[str, Chart]:
    made = {
        "scores": figures.score_distribution(data.orders),
        "days": figures.orders_by_day(data.orders),
        "clauses": figures.clauses(data.orders),
        "sellers": figures.top_sellers(data.sellers),
        "tracking": figures.tracking_timeline(data.anomalies),
    }
    return {name: _chart(f"chart-{name}", figure) for name, figure in made.items()}


def _networks(data: ReportData) -> list[tuple[int, str, Chart]]:
    """One drawing per ring, so that the page can lay them out by its width; with the ring's place and id."""
    ranked = ranked_rings(data.rings).reset_index(drop=True)
    drawn = ranked[ranked["ring_id"].isin(data.ring_edges["ring_id"])].head(_NETWORKS)
    return [
        (
            int(row) + 1,
            str(ranked.at[row, "ring_id"]),
            _chart(f"ring-network-{row + 1}", figures.ring_network(ranked.loc[[row]], data.ring_edges)),
        )
        for row in drawn.index
    ]


def _chart(name: str, figure: go.Figure) -> Chart:
    spec: dict[str, Any] = figure.to_plotly_json()
    layout: Mapping[str, Any] = spec["layout"]
    shown = {key: value for key, value in layout.items() if key not in ("title", "meta", "template")}
    shown["margin"] = {**layout["margin"], "t": min(layout["margin"]["t"], 32)}
    text = json.dumps({"data": spec["data"], "layout": shown}, ensure_ascii=False, sort_keys=True)
    for unsafe, safe in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(unsafe, safe)
    return Chart(
        id=name,
        title=layout["title"]["text"],
        description=layout["meta"]["description"],
        height=layout["height"],
        spec=Markup(text if spec["data"] else ""),
    )
