from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.offline
import pytest
from report_builders import (
    a_manifest,
    a_market,
    a_reason,
    a_ring,
    a_seller,
    an_anomaly,
    an_edge,
    an_order,
    report_data,
)

from detector.report.data import ReportData
from detector.report.html import write_report

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """An independent reading of the page: its elements, visible text, ids, links and scripts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self.open[-1:] not in (["style"], ["title"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name)) is not None]


def written(data: ReportData, folder: Path) -> str:
    write_report(data, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def market_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(written(a_market(), tmp_path_factory.mktemp("report")))


def test_every_link_leads_somewhere_and_every_id_is_one(market_page: Page) -> None:
    ids = market_page.attributes("id")
    assert len(ids) == len(set(ids))
    links = set(market_page.attributes("href"))
    assert links
    assert links <= {f"#{name}" for name in ids}
    for name in ("aria-labelledby", "aria-describedby"):
        assert set(market_page.attributes(name)) <= set(ids)


def test_nothing_is_fetched_and_only_the_pages_own_scripts_may_run(market_page: Page) -> None:
    assert not market_page.attributes("src")
    policy = next(
        attributes["content"] or ""
        for tag, attributes in market_page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    runnable = [text for attributes, text in market_page.scripts if attributes.get("type") is None]
    assert len(runnable) == 2
    assert runnable[0] == plotly.offline.get_plotlyjs()
    for script in runnable:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "default-src 'none'" in policy


def test_every_chart_has_a_name_and_readable_data(market_page: Page) -> None:
    charts = [attributes for _, attributes in market_page.elements if "data-chart" in attributes]
    specs = {a["id"]: text for a, text in market_page.scripts if a.get("type") == "application/json"}
    assert len(charts) == 5 + 6
    for chart in charts:
        assert chart["role"] == "img"
        assert chart["aria-labelledby"]
        assert json.loads(specs[f"{chart['id']}-data"])["data"]


def test_the_page_reads_without_javascript(market_page: Page) -> None:
    text = market_page.text
    data = a_market()
    suspected = int((data.orders["decision"] != "allow").sum())
    assert f"{suspected} of 400 orders" in text
    assert "the input has no table reviews" in text
    assert "the currency is not in ISO 4217" in text
    assert "0f" * 32 in text
    assert "The buyer uses the same device as the seller." in text
    worst = data.orders.sort_values("score").iloc[-1]
    assert worst["order_id"] in text
    assert market_page.text.count("Ring 1 ") >= 2


def test_headings_are_in_order_and_tables_have_captions_and_headers(market_page: Page) -> None:
    tags = [tag for tag, _ in market_page.elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(attributes.get("scope") for tag, attributes in market_page.elements if tag == "th")


def test_a_seller_is_suspected_and_never_more(market_page: Page) -> None:
    assert not re.search(r"fraud|guilty|criminal|cheat", market_page.text, re.IGNORECASE)


def test_possible_victims_have_their_own_list(tmp_path: Path) -> None:
    page = Page(
        written(
            report_data(
                orders=[an_order()],
                sellers=[
                    a_seller("brushed", disposition_hint="possible_victim", suspected_order_count=9),
                    a_seller("suspect", recommendation="open_case", suspected_order_count=8),
                    a_seller("small", suspected_order_count=1),
                ],
            ),
            tmp_path,
        )
    )
    suspected, victims = page.text.split("Suspected orders came in a burst")
    assert "suspect Open a case" in suspected
    assert "brushed" not in suspected
    assert "brushed Possible victim" in victims
    assert "1 further seller has suspected orders" in page.text


def test_an_empty_scan_gives_a_page_that_says_so(tmp_path: Path) -> None:
    page = Page(written(report_data(), tmp_path))
    for sentence in (
        "No order was scored.",
        "No seller is recommended for watching or a case.",
        "No seller looks like the victim",
        "No ring was found.",
        "No tracking anomaly was found.",
        "No order is suspected.",
        "Nothing asks for a decision.",
    ):
        assert sentence in page.text
    assert "data-chart" not in {name for _, attributes in page.elements for name in attributes}


def test_orders_without_suspicion_are_not_listed(tmp_path: Path) -> None:
    page = Page(written(report_data(orders=[an_order("quiet")]), tmp_path))
    assert "None of the 1 order is suspected." in page.text
    assert "quiet" not in page.text


@pytest.mark.parametrize(("rejected", "said"), [(0, "No row was rejected."), (7, "7 rows were rejected.")])
def test_rejects_are_counted_also_without_a_list_of_reasons(tmp_path: Path, rejected: int, said: str) -> None:
    row = {"rows_in": 9, "rows_kept": 9 - rejected, "rows_rejected": rejected, "rows_deduplicated": 0}
    page = Page(written(report_data(manifest={"tables": {"orders": row}}), tmp_path))
    assert said in page.text


def test_ids_and_messages_are_text(tmp_path: Path) -> None:
    nasty = "</script><script>alert('x')</script><img src=x onerror=alert(1)>&amp;"
    data = report_data(
        orders=[
            an_order(
                nasty,
                seller_id=nasty,
                buyer_id=nasty,
                score=0.99,
                decision="hold",
                ring_id=nasty,
                reasons=[a_reason(nasty, "abuse", 0.5, nasty)],
            )
        ],
        sellers=[
            a_seller(nasty, recommendation="open_case", suspected_order_count=1, reasons=[a_reason(nasty)])
        ],
        rings=[a_ring(nasty, kind=nasty, seller_ids=[nasty], buyer_ids=[nasty])],
        edges=[an_edge(nasty, seller_id=nasty, buyer_id=nasty)],
        anomalies=[an_anomaly(code=nasty, clause=nasty, seller_id=nasty)],
        manifest=a_manifest(notes=[nasty], clauses_not_judged={"2.1.f abuse": nasty}),
    )
    page = Page(written(data, tmp_path))
    assert nasty in page.text
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert sum("type" not in attributes for attributes, _ in page.scripts) == 2
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_the_same_scan_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    once, again = (a_market(orders=90, rings=2) for _ in range(2))
    assert written(once, tmp_path) == written(again, tmp_path / "again")


def test_tables_as_parquet_gives_them_read_the_same(tmp_path: Path) -> None:
    """Lists as numpy arrays, maps as lists of pairs, nulls as NaN, times with a zone."""
    order = an_order("o1", score=0.91, decision="hold", reasons=[a_reason()], ring_id="r1")
    data = report_data(
        orders=[order, an_order("o2", clause_abuse=None, total_minor=100)],
        sellers=[a_seller(recommendation="watch", suspected_order_count=1, suspected_gmv_minor={"JPY": 900})],
        rings=[a_ring()],
    )
    arrays = data.orders.assign(reasons=[np.array(cell, dtype=object) for cell in data.orders["reasons"]])
    pairs = data.sellers.assign(suspected_gmv_minor=[[("JPY", 900)]], reasons=[None])
    zoned = data.rings.assign(
        first_order_at=data.rings["first_order_at"].dt.tz_localize("UTC"),
        last_order_at=data.rings["last_order_at"].dt.tz_localize("UTC"),
    )
    (tmp_path / "parquet").mkdir()
    read = ReportData(arrays, pairs, zoned, data.ring_edges, data.anomalies, {})
    assert written(read, tmp_path / "parquet") == written(data, tmp_path)


def test_unknown_values_show_as_a_dash(tmp_path: Path) -> None:
    order = an_order("o1", score=0.9, decision="hold", reasons=None)
    orders = report_data(orders=[order]).orders.astype({"total_minor": "Int64"})
    orders.loc[:, "total_minor"] = pd.NA
    rings = report_data(rings=[a_ring()]).rings.assign(first_order_at=pd.NaT)
    empty = report_data()
    page = Page(
        written(ReportData(orders, empty.sellers, rings, empty.ring_edges, empty.anomalies, {}), tmp_path)
    )
    assert re.search(r"o1 s1 b1 2025-03-01 00:00 – 0\.90 Hold No single rule", page.text)
