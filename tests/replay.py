"""A simulated market cut at a day: history for the store, then the day's traffic as it comes in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
from rich.console import Console

from detector.anomaly import ORDERS_MODEL
from detector.as_of import score_as_of
from detector.contract import INPUT_TABLES
from detector.ingest import ingest
from detector.job import Job, plan, run_job, train_job
from detector.policy.schema import Policy
from detector.progress import Stages
from detector.recorded import recorded_features
from detector.scoring import Scorer
from detector.simulate.market import simulate, write_market
from features.batch import compute_features, forget_after
from models import bundle

Row = dict[str, Any]

STEPS = ("paid_at", "shipped_at", "delivered_at", "completed_at", "cancelled_at", "refunded_at")
LATER = {"shipments": "created_at", "tracking_events": "event_at", "reviews": "created_at"}
"""Table → when a row of it comes to be known; orders come when they are placed."""
MODEL_KEY = b"a key of the tests, for signing models"


@dataclass(frozen=True, slots=True)
class Day:
    """A market on disk, the day that is replayed, and a scan of all that was before it.

    ``market`` holds everything, ``history`` what was known as the day began, ``out`` the scan of that; the
    bundle's forest was trained on it.
    """

    market: Path
    history: Path
    out: Path
    bundle: bundle.Bundle
    begins: datetime

    @property
    def ends(self) -> datetime:
        return self.begins + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tick:
    """What came in until an instant; orders as they stood then."""

    until: datetime
    placed: list[Row]
    changed: list[Row]
    later: dict[str, list[Row]]


def a_day(folder: Path, policy: Policy, orders: int, days: int, seed: int) -> Day:
    """Simulate a market, cut it two days before its end, scan and train on what is before."""
    write_market(simulate(orders, days, seed, fake_share=0.05), folder / "sim")
    market, history, out = folder / "sim" / "market", folder / "history", folder / "out"
    history.mkdir()
    with closing(duckdb.connect()) as con:
        ingest(market, con)
        last = con.sql("SELECT max(created_at) FROM orders").fetchall()[0][0]
        begins = last.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        forget_after(con, begins)
        for name in INPUT_TABLES:
            columns = "* EXCLUDE (o)" if name == "orders" else "*"
            con.execute(f"COPY (SELECT {columns} FROM {name}) TO '{history / name}.parquet'")
    with Stages(plan(), Console(file=StringIO())) as stages:
        found = train_job(history, None, policy, stages)
    bundle.save(
        folder / "bundle",
        found.models,
        key=MODEL_KEY,
        created_for=policy.sha256,
        created_at=begins.replace(tzinfo=UTC),
        window=found.window,
    )
    trained = bundle.load(folder / "bundle", key=MODEL_KEY)
    quiet_scan(history, out, policy, trained)
    return Day(market, history, out, trained, begins)


def quiet_scan(source: Path, out: Path, policy: Policy, trained: bundle.Bundle | None = None) -> None:
    """Scan a folder as the command does, without its words."""
    with Stages(plan(), Console(file=StringIO())) as stages:
        run_job(Job(source, out), policy, stages, trained)


def traffic(day: Day, step: timedelta) -> Iterator[Tick]:
    """The day's facts in time order, tick by tick."""
    with closing(duckdb.connect()) as con:
        ingest(day.market, con)
        forget_after(con, day.ends)
        since = day.begins
        while since < day.ends:
            until = since + step
            yield Tick(
                until,
                _orders(con, f"created_at >= '{since}' AND created_at < '{until}'", until),
                _orders(con, f"created_at < '{since}' AND {_changed(since, until)}", until),
                {
                    name: _rows(con, name, f"{at} >= '{since}' AND {at} < '{until}'")
                    for name, at in LATER.items()
                },
            )
            since = until


def _changed(since: datetime, until: datetime) -> str:
    return "(" + " OR ".join(f"({step} >= '{since}' AND {step} < '{until}')" for step in STEPS) + ")"


def _rows(con: duckdb.DuckDBPyConnection, table: str, where: str) -> list[Row]:
    found = con.sql(f"SELECT {', '.join(INPUT_TABLES[table].column_names)} FROM {table} WHERE {where}")
    return [
        {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in found.to_arrow_table().to_pylist()
    ]


def _orders(con: duckdb.DuckDBPyConnection, where: str, until: datetime) -> list[Row]:
    """Orders with their items, without what had not happened yet."""
    orders = _rows(con, "orders", where)
    items: dict[str, list[Row]] = {}
    for item in _rows(con, "order_items", f"order_id IN (SELECT order_id FROM orders WHERE {where})"):
        items.setdefault(item["order_id"], []).append(item)
    end = until.replace(tzinfo=UTC)
    for order in orders:
        order["items"] = items.get(order["order_id"], [])
        order |= {step: None for step in STEPS if order[step] is not None and order[step] >= end}
    return orders


@dataclass(frozen=True, slots=True)
class Expected:
    """The batch's answer: ``at`` finds an order's row in the columns."""

    at: dict[str, int]
    features: dict[str, np.ndarray]
    score: np.ndarray
    rule_score: np.ndarray
    anomaly_score: np.ndarray
    decision: np.ndarray
    clauses: dict[str, np.ndarray]


@contextmanager
def computed(day: Day) -> Iterator[duckdb.DuckDBPyConnection]:
    """The batch's features of all that was known at the day's end."""
    with closing(duckdb.connect()) as con:
        ingest(day.market, con)
        forget_after(con, day.ends)
        compute_features(con, day.ends)
        yield con


def expected(
    con: duckdb.DuckDBPyConnection, day: Day, policy: Policy, decided_at: Mapping[str, datetime]
) -> Expected:
    """What the batch (``computed``) says at the day's end of orders that were last looked at then."""
    scorer = Scorer(policy.detection, policy.rule)
    ids = [order_id for (order_id,) in con.sql("SELECT order_id FROM orders ORDER BY o").fetchall()]
    end = day.ends.replace(tzinfo=UTC)
    seen_at = np.array([decided_at.get(order_id, end).timestamp() for order_id in ids])
    features, scores = score_as_of(con, seen_at, day.out, scorer, day.bundle.models[ORDERS_MODEL])
    unknown = np.full(len(ids), np.nan)
    return Expected(
        {order_id: row for row, order_id in enumerate(ids)},
        {name: features.get(name, unknown) for name in recorded_features(scorer)},
        scores.score,
        scores.rule_score,
        scores.anomaly_score,
        scores.decision,
        scores.evidence.clauses,
    )


class Decided(Protocol):
    """A decision as the service makes it, or as its answer tells it."""

    decision: Any
    score: Any
    rule_score: Any
    anomaly_score: Any
    clauses: Any


def assert_same(batch: Expected, order_id: str, decided: Decided, known: Mapping[str, float]) -> None:
    """A decision, and the features it was made on, are what the batch says of the order."""
    row = batch.at[order_id]
    for name, column in batch.features.items():
        value = known.get(name, np.nan)
        same = np.isclose(value, column[row], rtol=1e-9, atol=1e-9, equal_nan=True)
        assert same, (order_id, name, value, column[row])
    for name in ("score", "rule_score", "anomaly_score"):
        assert abs(getattr(decided, name) - getattr(batch, name)[row]) <= 1e-9, (order_id, name)
    assert decided.decision == batch.decision[row], order_id
    for clause, value in decided.clauses.items():
        found = batch.clauses[clause][row]
        assert np.isclose(np.nan if value is None else value, found, rtol=0, atol=1e-9, equal_nan=True), (
            order_id,
            clause,
        )
