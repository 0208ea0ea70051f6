"""A scan's ``manifest.json``: where its findings come from."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import duckdb

from detector.contract import CLAUSE_IDS
from detector.ingest import Ingested
from detector.policy.schema import Policy
from detector.scan import Scan
from models.bundle import Bundle

__all__ = ["TRAINED_HERE", "scan_manifest", "scan_notes", "write_manifest"]

TRAINED_HERE = "no model given: the forest was trained on the input's own earlier, unsuspected orders"


def scan_manifest(
    scan: Scan,
    policy: Policy,
    ingested: Ingested,
    not_judged: Mapping[str, str],
    timings: Mapping[str, float],
) -> dict[str, object]:
    """What was read, by what it was judged, what was not judged and why, and how long it took."""
    tables = {
        name: {
            "rows_in": count.rows_in,
            "rows_kept": count.rows_kept,
            "rows_rejected": count.rows_rejected,
            "rows_deduplicated": count.rows_deduplicated,
        }
        for name, count in ingested.counts.items()
    }
    return {
        "package_version": version("truetrade"),
        "engine": f"duckdb {duckdb.__version__}",
        "as_of": scan.as_of.isoformat() + "Z",
        "orders_scored": len(scan.rows),
        "masked": dict(ingested.masked),
        "rejects": _rejects(scan.con),
        "policy": {"version": policy.version, "sha256": policy.sha256},
        "files": [asdict(file) for file in ingested.files],
        "tables": tables,
        "ignored_columns": {table: list(names) for table, names in ingested.ignored_columns.items() if names},
        "clauses_not_judged": {f"{CLAUSE_IDS[c]} {c}": why for c, why in not_judged.items()},
        "timings_seconds": {stage: round(seconds, 3) for stage, seconds in timings.items()},
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def scan_notes(scan: Scan, bundle: Bundle | None, notes: Sequence[str]) -> tuple[str, ...]:
    """What reading the input had to say, and where the forest came from."""
    if bundle is not None:
        return tuple(notes)
    here = TRAINED_HERE if scan.model is not None else "too few orders to train a model; no anomaly scores"
    return (*notes, here)


def _rejects(con: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """Rejected rows counted by table, column and reason, most frequent first."""
    found = con.sql("""
        SELECT "table", "column", reason, count(*) AS rows FROM rejects GROUP BY ALL
        ORDER BY rows DESC, "table", "column", reason LIMIT 50
    """)
    rows: list[dict[str, object]] = found.to_arrow_table().to_pylist()
    return rows


def write_manifest(manifest: Mapping[str, object], path: Path) -> None:
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
