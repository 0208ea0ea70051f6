"""The catalog over whole tables: every family in turn, then the columns that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import duckdb

from features import (
    affiliate,
    graph,
    habits,
    homes,
    identity,
    promotion,
    rebuyers,
    related,
    repeat,
    reviews,
    tracking,
)
from features.columns import Floats, read_columns
from features.declare import Feature
from features.keys import create_main_product
from features.together import side_by_side
from features.velocity import AGGREGATES, Aggregate
from features.velocity import FEATURES as WINDOW_FEATURES

Stage = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Family:
    """A module's features: ``compute`` fills ``table``, which has one row per order."""

    stage: str
    table: str
    compute: Callable[[duckdb.DuckDBPyConnection, datetime], None]
    features: tuple[Feature, ...]


_PEOPLE = (
    Family("identities", "f_identity", identity.compute, identity.FEATURES),
    Family("related accounts", "f_related", related.compute, related.FEATURES),
)
_PARCELS = Family("tracking", "f_tracking", tracking.compute, tracking.FEATURES)
_TRADE = (
    Family("reviews", "f_reviews", reviews.compute, reviews.FEATURES),
    Family("repeat buying", "f_repeat", repeat.compute, repeat.FEATURES),
    Family("graph", "f_graph", graph.compute, graph.FEATURES),
    Family("promotions", "f_promotion", promotion.compute, promotion.FEATURES),
    Family("affiliates", "f_affiliate", affiliate.compute, affiliate.FEATURES),
    Family("homes", "f_homes", homes.compute, homes.FEATURES),
    Family("returning customers", "f_rebuyers", rebuyers.compute, rebuyers.FEATURES),
)
"""These and ``_PARCELS`` need people only, so two threads share them: each uses one core for long. Longest first."""

_SHOPS = (Family("habits", "f_habits", habits.compute, habits.FEATURES),)
_FAMILIES = (*_PEOPLE, _PARCELS, *_TRADE, *_SHOPS)
_SURVEY = "parcels"
STAGES: tuple[str, ...] = (_SURVEY, *(family.stage for family in _FAMILIES))
"""Names of the stages of ``compute_features``, in order."""

_ORDER_FACTS = ("paid_at", "shipped_at", "delivered_at", "completed_at", "cancelled_at", "refunded_at")


def forget_after(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Take out what had not happened yet: a scan of a past day must not know the next one."""
    instant = as_of.replace(tzinfo=None).isoformat()
    con.execute(f"DELETE FROM orders WHERE created_at >= TIMESTAMP '{instant}'")
    for column in _ORDER_FACTS:
        con.execute(f"UPDATE orders SET {column} = NULL WHERE {column} >= TIMESTAMP '{instant}'")
    for table, column in (
        ("shipments", "created_at"),
        ("tracking_events", "event_at"),
        ("reviews", "created_at"),
        ("affiliate_clicks", "clicked_at"),
        ("reports", "created_at"),
        ("labels", "labelled_at"),
    ):
        con.execute(f"DELETE FROM {table} WHERE {column} >= TIMESTAMP '{instant}'")


def compute_features(
    con: duckdb.DuckDBPyConnection, as_of: datetime, stage: Stage = lambda name: nullcontext()
) -> None:
    """Compute every family's table (``f_…``), keyed by ``o``, and ``main_product``; windows wait until they are read.

    Parameters
    ----------
    con
        Holds the clean contract tables, ``orders`` with the canonical rank ``o``.
    as_of
        Nothing later than this instant is in the tables (see ``forget_after``); ages are counted to it.
    stage
        Called with each name of ``STAGES``; the context it returns spans the stage. Two stages may run at
        once, in two threads.
    """
    compute = partial(_compute, as_of, stage)
    parcels, *_ = side_by_side(con, [partial(_survey, stage), partial(compute, _PEOPLE), create_main_product])
    tracked = replace(_PARCELS, compute=partial(tracking.compute, surveyed=parcels))
    del parcels  # the largest thing in memory, wanted by ``tracked`` alone
    side_by_side(con, [partial(compute, (family,)) for family in (tracked, *_TRADE)])
    compute(_SHOPS, con)


def _survey(stage: Stage, con: duckdb.DuckDBPyConnection) -> tracking.Survey:
    with stage(_SURVEY):
        return tracking.survey(con)


def _compute(
    as_of: datetime, stage: Stage, families: Iterable[Family], con: duckdb.DuckDBPyConnection
) -> None:
    for family in families:
        with stage(family.stage):
            family.compute(con, as_of)


def window_table(con: duckdb.DuckDBPyConnection, aggregates: Sequence[Aggregate] = AGGREGATES) -> None:
    """Create ``f_windows`` with these aggregates, on coded keys: integers sort much faster than strings."""
    import ibis  # takes seconds to load, and a policy without window rules does not need it

    from features.windows import window_features

    keys = sorted({key for aggregate in AGGREGATES for key in aggregate.key} | {"seller_id", "buyer_id"})
    coded = ", ".join(f"CASE WHEN {key} IS NOT NULL THEN hash({key}) END AS {key}" for key in keys)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE coded_orders AS
        SELECT o AS order_id, {coded}, hash(currency) AS currency, created_at,
               total_minor, platform_discount_minor FROM orders
    """)
    schema = dict.fromkeys(("order_id", *keys, "currency"), "uint64") | {
        "created_at": "timestamp", "total_minor": "int64", "platform_discount_minor": "int64"
    }  # fmt: skip
    expression = window_features(ibis.table(schema, name="coded_orders"), aggregates)
    con.execute(f"CREATE OR REPLACE TABLE f_windows AS {ibis.to_sql(expression, dialect='duckdb')}")
    con.execute("ALTER TABLE f_windows RENAME COLUMN order_id TO o; DROP TABLE coded_orders")


def read_features(con: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, Floats]:
    """The named features as float64 columns in order of ``o``; NaN is null.

    Window features are computed here, those that are asked for only: each costs about a second per million
    orders.

    Parameters
    ----------
    names
        Catalog names; one that a family table does not hold is left out.
    """
    wanted = set(names)
    columns: dict[str, Floats] = {}
    orders = con.execute("SELECT count(*) FROM orders").fetchall()[0][0]
    if aggregates := [aggregate for aggregate in AGGREGATES if aggregate.name in wanted]:
        window_table(con, aggregates)
    tables = [("f_windows", WINDOW_FEATURES), *((family.table, family.features) for family in _FAMILIES)]
    for table, declared in tables:
        mine = [feature.name for feature in declared if feature.name in wanted]
        if not mine:
            continue
        selected = ", ".join(f"{name}::DOUBLE AS {name}" for name in mine)
        columns |= read_columns(con, f"SELECT o, {selected} FROM {table}", orders)
    return columns


def drop_features(con: duckdb.DuckDBPyConnection) -> None:
    """Make room: the families' tables, once every wanted column has been read."""
    for table in (*(family.table for family in _FAMILIES), "f_windows"):
        con.execute(f"DROP TABLE IF EXISTS {table}")
