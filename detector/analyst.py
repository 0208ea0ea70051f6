"""The scan for people at a notebook: DataFrames in, DataFrames out, nothing written to disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pandas as pd

from detector.ingest import Ingested, ingest_frames
from detector.policy.loader import load_policy
from detector.policy.schema import Policy
from detector.results import clauses_not_judged, order_reasons, orders_table, rings_table, sellers_table
from detector.scan import Scan, last_instant, run
from detector.scoring import Scorer
from features.batch import read_features
from features.catalog import CATALOG

__all__ = ["Findings", "feature_table", "reason_rows", "scan_frames"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan found, as tables.

    Attributes
    ----------
    orders
        ``orders.parquet`` of the data contract, and created_at (naive UTC), currency, total_minor.
    sellers, rings
        ``sellers.parquet`` and ``rings.parquet``, worst first.
    counts
        Per input table (the index) that has rows: rows_in, rows_kept, rows_rejected, rows_deduplicated.
    rejects
        Every refused row: table, file, row, key, column, reason.
    not_judged
        Clause → why no rule of it could look at this input.
    scan, policy
        What the tables were made of; the scan's DuckDB connection holds the clean tables.
    """

    orders: pd.DataFrame
    sellers: pd.DataFrame
    rings: pd.DataFrame
    counts: pd.DataFrame
    rejects: pd.DataFrame
    not_judged: Mapping[str, str]
    scan: Scan
    policy: Policy


def scan_frames(
    frames: Mapping[str, pd.DataFrame],
    *,
    since: datetime | None = None,
    as_of: datetime | None = None,
    policy: Policy | None = None,
) -> Findings:
    """Scan contract tables held as DataFrames; the same scan as the command's.

    Parameters
    ----------
    frames
        Contract table name → frame; only ``orders`` is required.
    since
        Judge the orders from this instant on, the earlier ones are their history; None judges every order.
    as_of
        Nothing from this instant on is known to the scan; None knows all that the frames hold. An instant
        without a zone is UTC.
    policy
        Rules and numbers to judge by; None takes those that ship with the product.

    Raises
    ------
    InputError
        A name is no table of the contract, ``orders`` is missing or has no row that can be read.
    """
    policy = policy or load_policy()
    scorer = Scorer(policy.detection, policy.rule)
    con = (
        duckdb.connect()
    )  # DuckDB decides on its progress bar: in Jupyter even turning it off needs ipywidgets
    ingested = ingest_frames(frames, con)
    scan = run(
        ingested,
        scorer,
        policy,
        as_of=last_instant(con) if as_of is None else _utc(as_of),
        since=None if since is None else _utc(since),
        stage=lambda name: nullcontext(),
    )
    reasons = order_reasons(scan, scorer, policy.detection.fusion.explain_from)
    return Findings(
        orders=_with_facts(orders_table(scan, reasons).to_pandas(), con),
        sellers=sellers_table(scan, reasons).to_pandas(maps_as_pydicts="strict"),
        rings=rings_table(scan).to_pandas(),
        counts=_counts(ingested),
        rejects=con.sql('SELECT * FROM rejects ORDER BY "table", file, row').df(),
        not_judged=clauses_not_judged(scorer, ingested.present),
        scan=scan,
        policy=policy,
    )


def reason_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Reasons as rows, instead of a list in each row.

    Parameters
    ----------
    table
        Orders or sellers of ``Findings``, or the same read from a scan's Parquet files.

    Returns
    -------
    DataFrame
        One row per reason in the table's order, strongest first: every other column of ``table``, then
        code, clause, weight (0–1, higher says more) and message. Rows without a reason have no row here.
    """
    rows = table.explode("reasons").dropna(subset="reasons").reset_index(drop=True)
    reasons = pd.DataFrame(rows.pop("reasons").tolist(), columns=["code", "clause", "weight", "message"])
    return pd.concat([rows.drop(columns="clauses", errors="ignore"), reasons], axis=1)


def feature_table(findings: Findings, names: Iterable[str] = CATALOG) -> pd.DataFrame:
    """Features of the judged orders, as the rules and the forest see them.

    Parameters
    ----------
    names
        Names in ``features.catalog``; all of them when left out.

    Returns
    -------
    DataFrame
        Index ``order_id`` in the order of ``findings.orders``; float64 columns, sorted; NaN is not known.
    """
    scan = findings.scan
    wanted = sorted(names)
    columns = read_features(scan.con, wanted) | scan.features
    return pd.DataFrame(
        {name: columns[name][scan.rows] for name in wanted},
        index=pd.Index(findings.orders["order_id"], name="order_id"),
    )


def _utc(instant: datetime) -> datetime:
    """The instant as the tables hold it: in UTC, without a zone."""
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)


def _with_facts(orders: pd.DataFrame, con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    facts = con.sql("SELECT order_id, created_at, currency, total_minor FROM orders").df()
    return orders.merge(facts, on="order_id", how="left", validate="one_to_one")


def _counts(ingested: Ingested) -> pd.DataFrame:
    columns = ["rows_in", "rows_kept", "rows_rejected", "rows_deduplicated"]
    rows = {
        name: [getattr(count, column) for column in columns]
        for name, count in ingested.counts.items()
        if count.rows_in
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("table")
