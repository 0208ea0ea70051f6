"""The evidence pack: a case as one ZIP file that a person can read and a program can check.

``index.html`` is the cover, ``manifest.json`` names the SHA-256 of every other file. The same dossier gives
the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from detector.enforcement.days import parse_instant
from detector.evidence.dossier import Dossier, for_seller
from detector.money import format_money
from detector.report import wording

__all__ = ["AUDIENCES", "Audience", "write_pack"]

Audience = Literal["seller", "regulator"]
AUDIENCES: tuple[Audience, ...] = ("seller", "regulator")
FORMAT = 1
"""Version of the pack's layout, in the manifest."""
_TABLES = (
    *("case", "findings", "orders", "items", "decisions", "traces", "reviews"),
    *("rings", "timeline", "ledger", "notices", "evidence", "notes"),
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_HERE = Path(__file__).parent / "templates"
_REPORT = Path(wording.__file__).parent / "templates"


def write_pack(dossier: Dossier, audience: Audience) -> bytes:
    """The ZIP file for ``audience``; for the seller other people's data are left out first."""
    shown = for_seller(dossier) if audience == "seller" else dossier
    files = _files(shown)
    facts = {"format": FORMAT, "case_id": shown.case_id, "seller_id": shown.seller_id, "as_of": shown.as_of}
    hashes = {name: {"sha256": _sha256(files[name]), "bytes": len(files[name])} for name in sorted(files)}
    cover = _cover(shown, audience, hashes).encode()
    hashes["index.html"] = {"sha256": _sha256(cover), "bytes": len(cover)}
    manifest = _json({**facts, "for": audience, "files": hashes})
    return _zip({"index.html": cover, "manifest.json": manifest, **files})


def _files(dossier: Dossier) -> dict[str, bytes]:
    """Every file but the cover and the manifest. Tables without a row are left out."""
    tables = {name: getattr(dossier, name) for name in _TABLES}
    files = {f"{name}.json": _json(rows) for name, rows in tables.items() if rows}
    for policy in dossier.policies:
        files[f"policy/{policy.sha256}.toml"] = policy.text.encode()
    for document, content in dossier.documents:
        files[_document_path(document.document_id, document.name)] = content
    return files


def _document_path(document_id: str, name: str) -> str:
    return f"documents/{document_id}/{name}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in files:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.create_system, entry.external_attr = (
                zipfile.ZIP_DEFLATED,
                3,
                0o644 << 16,
            )
            archive.writestr(entry, files[name])
    return stream.getvalue()


def _cover(dossier: Dossier, audience: Audience, hashes: dict[str, dict[str, Any]]) -> str:
    zone = ZoneInfo(dossier.timezone)
    tables = {name: _in_zone(getattr(dossier, name), zone) for name in _TABLES}
    return (
        _environment()
        .get_template("cover.html.j2")
        .render(
            dossier=replace(dossier, as_of=_in_zone(dossier.as_of, zone), **tables),
            audience=audience,
            files=hashes,
            decided={row["order_id"]: row for row in dossier.decisions},
            documents=[
                (document, _document_path(document.document_id, document.name))
                for document, _ in dossier.documents
            ],
        )
    )


def _in_zone(value: Any, zone: ZoneInfo) -> Any:
    """The same with every instant as people write it: day and second on the market's clocks."""
    if isinstance(value, Mapping):
        return {name: _in_zone(item, zone) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_zone(item, zone) for item in value]
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return f"{parse_instant(value).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([_HERE, _REPORT]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(money=_money, words=wording.from_code, clause=wording.clause_name)
    environment.filters.update(facts=_facts)
    environment.globals.update(plural=wording.plural)
    return environment


def _money(amounts: dict[str, int]) -> str:
    return ", ".join(format_money(amounts[currency], currency) for currency in sorted(amounts)) or "–"


def _facts(event: dict[str, Any], leave_out: Sequence[str]) -> str:
    """An event's own facts in one line; what is empty is not told."""
    told = {
        name: event[name] for name in event if name not in leave_out and event[name] not in (None, [], {})
    }
    return "; ".join(f"{wording.from_code(name).lower()}: {_plain(told[name])}" for name in told)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(value[name])}" for name in value if value[name] is not None)
    if isinstance(value, list | tuple):
        shown = [_plain(item) for item in value[:8]]
        return ", ".join(shown) + (f" and {len(value) - 8} more" if len(value) > 8 else "")
    return str(value)
