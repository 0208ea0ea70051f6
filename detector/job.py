"""The scan command's work from input folder to output folder."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path

import duckdb
import pandas as pd

from detector.contract import INPUT_TABLES
from detector.errors import InputError
from detector.ingest import Ingested, ingest
from detector.ingest.sqltext import literal
from detector.manifest import scan_manifest, scan_notes, write_manifest
from detector.output import whole_folder
from detector.policy.schema import Policy
from detector.progress import Stages
from detector.report.data import ReportData
from detector.results import (
    clauses_not_judged,
    order_facts,
    order_reasons,
    orders_table,
    rings_table,
    sellers_table,
    write_table,
)
from detector.scan import Scan, last_instant, run
from detector.scoring import ALLOW, Reason, Scorer
from detector.snapshot import FOLDER as SNAPSHOT
from detector.snapshot import write_snapshot
from features.batch import STAGES
from models.bundle import Bundle

__all__ = ["Job", "Outcome", "plan", "run_job", "train_job"]

TRACKING_CLAUSES = ("tracking_mismatch", "invalid_tracking")
ENGINE_MB = 1700
"""Memory of the engine per million orders, at least once."""

TOP_RINGS = 30
"""Rings whose edges the report may draw."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to scan, as asked on the command line; ``day`` is midnight UTC of the day to score."""

    source: Path
    out: Path
    history: Path | None = None
    day: datetime | None = None
    mapping: Path | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished scan says in its closing summary."""

    orders: pd.DataFrame
    sellers: pd.DataFrame
    rings: pd.DataFrame
    not_judged: Mapping[str, str]
    rejected: int
    notes: tuple[str, ...]


def connect(threads: int | None = None, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """An in-process engine for one scan.

    Parameters
    ----------
    threads
        None takes every core.
    spill
        Folder for what does not fit into the engine's share of memory; None keeps everything in memory.
    """
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
    if spill is not None:
        con.execute(f"SET temp_directory = {literal(str(spill))}")
        share_memory(con, 0)
    if threads is not None:
        con.execute(f"SET threads = {threads}")
    return con


def share_memory(con: duckdb.DuckDBPyConnection, orders: int) -> None:
    """Limit the engine's share of memory; the feature columns take as much again beside it."""
    con.execute(f"SET memory_limit = '{round(ENGINE_MB * max(1.0, orders / 1e6))}MB'")


def plan() -> dict[str, float]:
    """Stage → expected share of the time, from a run over a million orders."""
    heavy = {"read": 14.0, "parcels": 8.0, "identities": 10.0, "reviews": 8.0, "scores": 14.0, "write": 12.0}
    names = ("read", *STAGES, "scores", "rings and sellers", "write")
    return {name: heavy.get(name, 5.0) for name in names}


def run_job(job: Job, policy: Policy, stages: Stages, bundle: Bundle | None = None) -> Outcome:
    """Scan and write OUT, whole or not at all. Without a bundle the forest is trained on the input itself.

    Raises
    ------
    InputError
        The input cannot be read at all, or OUT is not a scan's output.
    """
    scorer = Scorer(policy.detection, policy.rule)
    with whole_folder(job.out) as folder, connect(job.threads, spill=folder.parent / "spill") as con:
        with stages.stage("read") as running, ThreadPoolExecutor(1) as aside:
            aside.submit(_load_libraries)
            ingested = ingest(job.source, con, history=job.history, mapping=job.mapping)
            running.rows = sum(ingested.counts[name].rows_in for name in INPUT_TABLES)
        as_of = last_instant(con) if job.day is None else job.day + timedelta(days=1)
        orders = ingested.counts["orders"].rows_kept
        share_memory(con, orders)
        scan = run(
            ingested,
            scorer,
            policy,
            as_of=as_of,
            since=job.day,
            stage=lambda name: stages.stage(name, orders),
            models={} if bundle is None else bundle.models,
            keep_features=False,
        )
        with stages.stage("write", len(scan.rows)), con.cursor() as own, ThreadPoolExecutor(1) as aside:
            snapshot = aside.submit(write_snapshot, replace(scan, con=own), scorer, folder / SNAPSHOT)
            outcome = _write(folder, scan, scorer, policy, ingested, stages, bundle)
            snapshot.result()
            return outcome


def _load_libraries() -> None:
    """Import what takes seconds to, while the engine reads."""
    for name in ("sklearn.ensemble", "detector.report.html"):
        import_module(name)


def train_job(source: Path, mapping: Path | None, policy: Policy, stages: Stages) -> Scan:
    """Scan ``source`` for the model that it trains on its own earlier orders.

    Raises
    ------
    InputError
        The input cannot be read, or has too few orders to train on.
    """
    with connect() as con:
        with stages.stage("read"):
            ingested = ingest(source, con, mapping=mapping)
        scorer = Scorer(policy.detection, policy.rule)
        scan = run(ingested, scorer, policy, as_of=last_instant(con), since=None, stage=stages.stage)
    if scan.model is None:
        raise InputError(f"{source} has {len(scan.rows)} orders; too few to train a model on")
    return scan


def _write(
    folder: Path,
    scan: Scan,
    scorer: Scorer,
    policy: Policy,
    ingested: Ingested,
    stages: Stages,
    bundle: Bundle | None,
) -> Outcome:
    from detector.report.html import write_report

    reasons = order_reasons(scan, scorer, policy.detection.fusion.explain_from)
    tables = {
        "orders": orders_table(scan, reasons),
        "sellers": sellers_table(scan, reasons),
        "rings": rings_table(scan),
        "rejects": scan.con.sql('SELECT * FROM rejects ORDER BY "table", file, row').to_arrow_table(),
    }
    for name, table in tables.items():
        write_table(table, folder / f"{name}.parquet")
    not_judged = clauses_not_judged(scorer, ingested.present)
    notes = scan_notes(scan, bundle, ingested.notes)
    manifest = scan_manifest(scan, policy, ingested, not_judged, stages.timings) | {
        "model_bundle": None if bundle is None else bundle.id,
        "notes": notes,
    }
    frames = {name: table.to_pandas() for name, table in tables.items()}
    write_report(_report(scan, frames, reasons, manifest), folder / "report.html")
    write_manifest(manifest, folder / "manifest.json")
    return Outcome(
        frames["orders"],
        frames["sellers"],
        frames["rings"],
        not_judged,
        tables["rejects"].num_rows,
        notes,
    )


def _report(
    scan: Scan,
    frames: Mapping[str, pd.DataFrame],
    reasons: Mapping[int, list[Reason]],
    manifest: dict[str, object],
) -> ReportData:
    facts = order_facts(scan, "created_at", "currency", "total_minor").to_pandas()
    orders = pd.concat([frames["orders"], facts], axis=1)
    top = frames["rings"].head(TOP_RINGS)["ring_id"]
    edges = orders[orders["ring_id"].isin(top)].groupby(["ring_id", "buyer_id", "seller_id"], as_index=False)
    return ReportData(
        orders=orders,
        sellers=frames["sellers"],
        rings=frames["rings"],
        ring_edges=edges.agg(orders=("order_id", "size"), score=("score", "max")),
        anomalies=_anomalies(orders),
        manifest=manifest,
    )


def _anomalies(orders: pd.DataFrame) -> pd.DataFrame:
    """Tracking reasons of the suspected orders, one row each, at the order's time."""
    suspected = orders.loc[orders["decision"] != ALLOW, ["created_at", "seller_id", "order_id", "reasons"]]
    long = suspected.explode("reasons").dropna(subset="reasons").reset_index(drop=True)
    found = pd.DataFrame(long["reasons"].tolist(), columns=["code", "clause"], index=long.index)
    joined = long.drop(columns="reasons").rename(columns={"created_at": "at"}).join(found)
    return joined[joined["clause"].isin(TRACKING_CLAUSES)].reset_index(drop=True)
