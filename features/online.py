"""The catalog for a handful of orders: row features by the batch's own kernels, without a database engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.catalog import CATALOG
from features.columns import Floats
from features.order_steps import MONEY, STEPS, row_features
from features.parcel_places import place_gaps
from features.parcel_weights import line_grams, weighed, weight_ratios
from features.parcels import PLACE, ParcelTables, assemble, order_kinds
from features.points import consignment_points
from features.stack import Names, Stack
from features.timing import parcel_times, timing_facts
from features.trace import STATUS_KIND
from features.tracking import SCANS_ONLY
from features.velocity import AGGREGATES

__all__ = ["MARKET_COLUMNS", "ROW_FEATURES", "OrderFacts", "RowValues", "row_values", "to_seconds"]

Row = Mapping[str, Any]

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

MARKET_COLUMNS: tuple[str, ...] = (
    *sorted({f"orders.{a.column}" for a in AGGREGATES if a.function == "sum"}),
    "orders.paid_at",
    "orders.shipped_at",
    "tracking_events.event_at",
)
"""Columns (``table.column``) of which some features ask whether the market tells them at all."""

ROW_FEATURES: tuple[str, ...] = tuple(name for name, feature in CATALOG.items() if feature.kind == "row")

_NAMES = Names(ROW_FEATURES)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """Some orders and what is known of them: rows with the contract's columns, a missing column is null.

    ``shipments`` has the order's position among ``orders`` as ``o``, ``events`` that of the shipment among
    ``shipments`` as ``s``, ``lines`` (the order's items) ``o`` and the catalogue's ``weight_g``;
    ``registered_at`` is the buyer's and ``warehouse`` the seller's registered place, one per order.
    """

    orders: Sequence[Row]
    shipments: Sequence[Row]
    events: Sequence[Row]
    lines: Sequence[Row]
    registered_at: Sequence[datetime | None]
    warehouse: Sequence[Row]


@dataclass(frozen=True, slots=True)
class RowValues:
    """``features``: every row feature; ``points``: the parcels' consignment points."""

    features: Stack
    points: list[str | None]


def row_values(facts: OrderFacts, as_of: datetime, market: Collection[str]) -> RowValues:
    """Compute the row features of some orders.

    Parameters
    ----------
    as_of
        The instant at which the orders are looked at; the facts are all there are until then.
    market
        Those of ``MARKET_COLUMNS`` that the market tells.
    """
    count = len(facts.orders)
    found = Stack(_NAMES, np.full((len(ROW_FEATURES), count), np.nan))
    own = dict(zip(_OWN, _own_facts(facts), strict=True))
    of_orders = row_features(own) | {"buyer_age_days": _age_days(own["registered"], own["created"])}
    if not {"orders.paid_at", "orders.shipped_at"} <= set(market):
        of_orders["order_steps_skipped"] = np.full(count, np.nan)
    for name, values in of_orders.items():
        found[name][:] = values
    points: list[str | None] = [None] * count
    shipped = sorted({row["o"] for row in facts.shipments})
    if shipped:  # most orders are judged before there is a parcel
        of_parcels, places = _parcel_values(
            _only(facts, shipped), as_of, "tracking_events.event_at" in market
        )
        for name in ROW_FEATURES:
            if name not in of_orders:
                found[name][shipped] = of_parcels[name]
        for position, place in zip(shipped, places, strict=True):
            points[position] = place
    return RowValues(found, points)


_OWN = (*STEPS, "registered", *MONEY)


def _own_facts(facts: OrderFacts) -> Floats:
    """What the orders say without their parcels: shape (own facts, orders)."""
    times = [[row.get(f"{step}_at") for row in facts.orders] for step in STEPS]
    seconds = [[at and to_seconds(at) for at in told] for told in (*times, facts.registered_at)]
    money = [[row.get(name) for row in facts.orders] for name in MONEY]
    return np.array([*seconds, *money], dtype=np.float64)  # None becomes NaN


def _age_days(registered: Floats, created: Floats) -> Floats:
    return np.where(registered <= created, (created - registered) / 86_400, np.nan)


def _only(facts: OrderFacts, kept: Sequence[int]) -> OrderFacts:
    """The facts of some of the orders."""
    position = {o: at for at, o in enumerate(kept)}
    return OrderFacts(
        [facts.orders[o] for o in kept],
        [{**row, "o": position[row["o"]]} for row in facts.shipments],
        facts.events,
        [{**row, "o": position[row["o"]]} for row in facts.lines if row["o"] in position],
        [facts.registered_at[o] for o in kept],
        [facts.warehouse[o] for o in kept],
    )


def _parcel_values(
    facts: OrderFacts, as_of: datetime, scans_told: bool
) -> tuple[dict[str, Floats], list[str | None]]:
    parcels = assemble(_tables(facts))
    columns = parcels.columns
    columns |= place_gaps(parcels, _texts(facts.warehouse, PLACE))
    columns |= timing_facts(parcel_times(columns), to_seconds(as_of))
    columns |= _weights(facts, columns)
    if not scans_told:
        columns |= {name: np.full(len(facts.orders), np.nan) for name in SCANS_ONLY}
    return columns, consignment_points(parcels).to_pylist()


def _weights(facts: OrderFacts, columns: Mapping[str, Floats]) -> dict[str, Floats]:
    rows = weighed(columns)
    position = {int(o): at for at, o in enumerate(rows)}
    lines = [line for line in facts.lines if line["o"] in position]
    stated = line_grams(*(_numbers(line.get(name) for line in lines) for name in ("quantity", "weight_g")))
    row = np.array([position[line["o"]] for line in lines], dtype=np.int64)
    return weight_ratios(columns, rows, row, stated)


def _tables(facts: OrderFacts) -> ParcelTables:
    orders, shipments = facts.orders, facts.shipments
    ordered_at = _seconds(row["created_at"] for row in orders)
    flags = {name: pa.array([row.get(name) for row in orders], pa.bool_()) for name in _FLAGS}
    of_orders = _texts(orders, _ORDER_TEXTS)
    for name, values in flags.items():
        of_orders = of_orders.append_column(name, values)
    group = pa.array([row.get("combined_group_id") for row in orders], pa.string())
    of_orders = of_orders.append_column("combined_group", group)
    of_orders = _with_numbers(
        of_orders,
        ordered_at=ordered_at,
        order_shipped_at=_seconds(row.get("shipped_at") for row in orders),
    )
    owner = np.array([row["o"] for row in shipments], dtype=np.int64)
    of_shipments = _with_numbers(
        _texts(shipments, _SHIPMENT_TEXTS).append_column("o", pa.array(owner)),
        ordered_at=ordered_at[owner],
        label_at=_seconds(row.get("created_at") for row in shipments),
        shipped_at=_seconds(row.get("shipped_at") for row in shipments),
        declared_weight_g=_numbers(row.get("declared_weight_g") for row in shipments),
    )
    return ParcelTables(order_kinds(of_orders), of_shipments, _event_table(facts.events))


def _event_table(rows: Sequence[Row]) -> pa.Table:
    events = [row for row in rows if row["status"] in STATUS_KIND]
    table = _texts(events, (*PLACE, "signed_by"))
    kinds = np.array([STATUS_KIND[row["status"]] for row in events], dtype=np.int8)
    table = table.append_column("s", pa.array([row["s"] for row in events], pa.int64()))
    return _with_numbers(
        table.append_column("kind", pa.array(kinds)),
        instant=_seconds(row["event_at"] for row in events),
        **{n: _numbers(row.get(n) for row in events) for n in ("latitude", "longitude", "weight_g")},
    )


_FLAGS = ("is_sample", "is_replacement", "is_exchange")
_ORDER_TEXTS = (
    "recipient_name", "ship_to_country", "ship_to_region", "ship_to_city", "ship_to_postcode"
)  # fmt: skip
_SHIPMENT_TEXTS = (
    "shipment_id", "carrier", "tracking_number", "last_mile_tracking_number", "handover",
    "ship_from_country", "ship_from_region", "ship_from_city", "ship_from_postcode",
)  # fmt: skip


def _texts(rows: Sequence[Row], names: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def _with_numbers(table: pa.Table, **columns: Floats) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, from_pandas=True))
    return table


def to_seconds(instant: datetime) -> float:
    """Seconds since 1970 UTC; a time without a zone is UTC."""
    zoned = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (zoned - _EPOCH) // _MICROSECOND / 1e6


def _seconds(instants: Iterable[datetime | None]) -> Floats:
    return np.array([np.nan if at is None else to_seconds(at) for at in instants], dtype=np.float64)


def _numbers(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
