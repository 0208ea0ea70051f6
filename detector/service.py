"""The scoring service: facts in, decisions out, each request's all in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine

from detector.anomaly import ORDERS_MODEL
from detector.contract import INPUT_TABLES
from detector.deciding import decided
from detector.errors import TrueTradeError
from detector.judge import Judge
from detector.policy.schema import Policy
from detector.pseudonym import Veil
from detector.scoring import Reason
from detector.store import decisions, facts, snapshots
from detector.store.decisions import Decision, Versions
from detector.store.idempotency import Claim, recall, remember
from detector.store.known import stored_orders
from detector.store.windows import windows_of
from detector.store.writer import Writer
from detector.telling import Keeper, Telling, touched
from models.bundle import Bundle

__all__ = ["Decision", "Reason", "RowResult", "ScoreRequest", "Service", "UnknownRecord", "Versions"]

Row = Mapping[str, Any]
T = TypeVar("T")


class UnknownRecord(TrueTradeError):
    """Nothing is stored under that id."""

    def __init__(self, kind: str, record_id: str) -> None:
        super().__init__(f"{kind} {record_id} is not known; ids are those of earlier answers")
        self.kind, self.record_id = kind, record_id


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """An order to score: the contract's columns as Python values, with what belongs to it.

    Attributes
    ----------
    order
        Columns of ``orders``, and ``items``, ``shipment``, ``tracking_events``, ``review``: rows that name
        the order or shipment they belong to.
    store
        False: a dry run, nothing is kept and no other request sees it.
    idempotency
        A request with a claim that was carried out is answered with its decision.
    """

    order: Row
    store: bool = True
    idempotency: Claim | None = None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row: its key, and the new decisions on the orders that it touches."""

    key: str
    accepted: bool
    reason: str | None = None
    decision_ids: tuple[str, ...] = ()


class Service:
    """Scores orders and keeps facts. One instance serves one process; its methods may run in threads.

    It is a context, at whose end its own connection for writing is closed.

    Parameters
    ----------
    policy
        As from ``detector.rulebook.load_rulebook``.
    bundle
        A verified model bundle, None without a forest.
    pseudonym_key
        Key of the stored identity values.
    """

    def __init__(self, engine: Engine, policy: Policy, bundle: Bundle | None, pseudonym_key: bytes) -> None:
        self._engine, self._writer = engine, Writer(engine)
        veil = Veil(pseudonym_key)
        self._windows = windows_of(engine)
        self._keeper = Keeper(veil, self._windows)
        model = None if bundle is None else bundle.models[ORDERS_MODEL]
        self._judge = Judge(policy, model, veil, self._windows)
        self._policy, self._bundle = policy, bundle
        self.snapshot_in_use: snapshots.Snapshot | None = None
        """The published scan that the latest decisions rest on."""
        with self._writer.begin() as connection:
            self._feature_set = decisions.feature_set(connection, self._judge.recorded)
            self._windows.prepare(connection)
            # machine code is loaded, or made, before somebody waits for it
            self._judge.judge(connection, [], datetime.now(UTC), [], facts.reported(connection))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._writer.close()

    def score(self, requests: Sequence[ScoreRequest], now: datetime) -> list[Decision]:
        """Score 1 to 1,000 orders in one transaction; the facts of stored requests are kept with it.

        Orders of one call are in each other's history as their times say. An order of a dry run is in
        nobody's.

        Raises
        ------
        IdempotencyConflict
            A claim's key was used before with another content.
        """
        with self._writer.begin() as connection:
            return self._scored(connection, requests, now)

    def score_at_once(self, requests: Sequence[ScoreRequest], now: datetime) -> list[Decision] | None:
        """As ``score`` of a near database; None where it would wait: another process writes, or has written orders."""
        with self._writer.begin_at_once() as connection:
            if connection is None or not self._windows.is_ready(connection):
                return None
            return self._scored(connection, requests, now)

    @property
    def is_near(self) -> bool:
        """``score_at_once`` may be asked."""
        return self._writer.is_near

    def _scored(
        self, connection: Connection, requests: Sequence[ScoreRequest], now: datetime
    ) -> list[Decision]:
        claims = [request.idempotency for request in requests if request.idempotency is not None]
        answered = recall(connection, claims, now) if claims else {}
        fresh = _first_of_each_claim(requests, answered)
        tellings = [self._keeper.telling(request.order) for request in fresh]
        kept = [request.store for request in fresh]
        market = facts.reported(connection)
        self._keeper.put_orders(
            connection, [one for one, keep in zip(tellings, kept, strict=True) if keep], market
        )
        made = self._judged(connection, tellings, kept, now, market)
        given = {r.idempotency: d for r, d in zip(fresh, made, strict=True) if r.idempotency is not None}
        remember(connection, {claim: one.decision_id for claim, one in given.items()})
        for claim, decision_id in answered.items():
            given[claim] = _found(decisions.decision(connection, decision_id), "decision", decision_id)
        unclaimed = iter([d for r, d in zip(fresh, made, strict=True) if r.idempotency is None])
        return [next(unclaimed) if r.idempotency is None else given[r.idempotency] for r in requests]

    def add(
        self, table: str, rows: Sequence[Row], now: datetime, claim: Claim | None = None
    ) -> list[RowResult]:
        """Keep rows of a table of the contract; stored orders that they touch are scored again.

        Rows of ``orders`` may hold what belongs to them, as in ``ScoreRequest``. Reports and labels touch
        no score. A claim that was carried out is answered as it was.

        Raises
        ------
        IdempotencyConflict
            The claim's key was used before with another content.
        """
        claims = [] if claim is None else [claim]
        with self._writer.begin() as connection:
            for known in recall(connection, claims, now).values():
                return [RowResult(**result) for result in known]
            results = self._added(connection, table, rows, now)
            remember(connection, {claim: [asdict(result) for result in results] for claim in claims})
        return results

    def _added(
        self, connection: Connection, table: str, rows: Sequence[Row], now: datetime
    ) -> list[RowResult]:
        market = facts.reported(connection)
        if table == "orders":
            self._keeper.put_orders(connection, [self._keeper.telling(row) for row in rows], market)
        else:
            self._keeper.put(connection, table, self._keeper.veiled(table, rows), market)
        about = touched(connection, table, rows)
        stored = stored_orders(connection, {order_id for order_id in about if order_id is not None})
        again = [Telling(order) for order in stored.values()]
        made = self._judged(connection, again, [True] * len(again), now, market)
        by_order = {one.order_id: (one.decision_id,) for one in made}
        key = INPUT_TABLES[table].key
        return [
            RowResult(" ".join(str(row[part]) for part in key), True, None, by_order.get(order_id or "", ()))
            for row, order_id in zip(rows, about, strict=True)
        ]

    def decision(self, decision_id: str) -> Decision:
        """One decision. Raises UnknownRecord."""
        return self._read(lambda c: _found(decisions.decision(c, decision_id), "decision", decision_id))

    def decisions_of(self, order_id: str) -> list[Decision]:
        """Every decision on an order, the latest first; none where the order was never scored."""
        return self._read(lambda connection: decisions.decisions_of(connection, order_id))

    def features(self, decision_id: str) -> dict[str, float]:
        """The known features that a decision was made on."""
        return self._read(lambda connection: decisions.features_of(connection, decision_id))

    def snapshot(self) -> snapshots.Snapshot | None:
        """The published scan that answers now."""
        return self._read(snapshots.current)

    def seller(self, seller_id: str) -> Row:
        """The last published scan's verdict: a row of ``sellers.parquet``. Raises UnknownRecord."""
        return self._read(lambda c: _found(_of_snapshot(c, snapshots.seller, seller_id), "seller", seller_id))

    def ring(self, ring_id: str) -> tuple[Row, list[Row]]:
        """A ring of the last published scan, a row of ``rings.parquet``, and its buyer–seller pairs with counts.

        Raises UnknownRecord.
        """
        return self._read(lambda c: _found(_of_snapshot(c, snapshots.ring, ring_id), "ring", ring_id))

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect().execution_options(reads_only=True) as connection:
            return work(connection)

    def _judged(
        self,
        connection: Connection,
        tellings: Sequence[Telling],
        kept: Sequence[bool],
        now: datetime,
        market: Collection[str],
    ) -> list[Decision]:
        """Judge orders on what is stored by now and what was told with each; store the decisions to be ``kept``."""
        if not tellings:
            return []
        orders = [one.order for one in tellings]
        judged = self._judge.judge(connection, orders, now, [one.told for one in tellings], market)
        self.snapshot_in_use = judged.snapshot
        made = decided(orders, judged, self._versions(judged.snapshot, now), now)
        rows = [position for position, keep in enumerate(kept) if keep]
        decisions.keep(connection, [made[row] for row in rows], judged.features[rows], self._feature_set)
        return made

    def _versions(self, snapshot: snapshots.Snapshot | None, now: datetime) -> Versions:
        return Versions(
            package=_PACKAGE,
            policy=self._policy.version,
            policy_sha256=self._policy.sha256,
            model=None if self._bundle is None else self._bundle.id,
            snapshot=None if snapshot is None else str(snapshot.generation),
            snapshot_age_seconds=None if snapshot is None else (now - snapshot.as_of).total_seconds(),
        )


_PACKAGE = version("truetrade")


def _first_of_each_claim(
    requests: Sequence[ScoreRequest], answered: Mapping[Claim, Any]
) -> list[ScoreRequest]:
    """The requests that have to be carried out: of several with one claim the first."""
    seen = set(answered)
    fresh = []
    for request in requests:
        if request.idempotency is None or request.idempotency not in seen:
            fresh.append(request)
            if request.idempotency is not None:
                seen.add(request.idempotency)
    return fresh


def _of_snapshot(
    connection: Connection, find: Callable[[Connection, snapshots.Snapshot, str], T | None], record_id: str
) -> T | None:
    snapshot = snapshots.current(connection)
    return None if snapshot is None else find(connection, snapshot, record_id)


def _found(record: T | None, kind: str, record_id: str) -> T:
    if record is None:
        raise UnknownRecord(kind, record_id)
    return record
