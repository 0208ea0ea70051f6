"""One row per order with what its parcel's papers and scans say: the ground that ``tracking`` stands on.

An order may have several shipments (split parcels, a label printed twice). The one with the best trace is its
main parcel: what one delivered parcel shows cannot be held against the order because a second label was
never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.carriers import Verdict, check_clean, foreign_numbers, normalise
from features.columns import Floats, Rows, ordered, taken, values_of
from features.first_mile import extra_ship_seconds, first_mile_fit
from features.trace import STATUS_KIND, Kind, TraceFacts, Traces, trace_facts

__all__ = ["PLACE", "ParcelTables", "Parcels", "assemble", "order_kinds", "read_parcels"]

PLACE = ("country", "region", "city", "postcode")


@dataclass(frozen=True, slots=True)
class Parcels:
    """Every order and, row for row, its main parcel; row ``o`` everywhere, null or NaN where there is none.

    ``columns`` holds numbers (flags as 0 / 1), ``orders`` and ``shipment`` the texts of order and shipment,
    ``picked_up`` and ``delivered`` the place (and ``signed_by``) of those scans. ``numbers`` has one row per
    number of any shipment: ``o``, ``number``.
    """

    columns: dict[str, Floats]
    orders: pa.Table
    shipment: pa.Table
    picked_up: pa.Table
    delivered: pa.Table
    numbers: pa.Table


@dataclass(frozen=True, slots=True)
class ParcelTables:
    """What parcels are made of; times are seconds since 1970 UTC.

    ``orders`` has a row for every order, in order of ``o`` (see ``_read_orders``). ``shipments`` has ``o``,
    ``ordered_at``, ``label_at``, ``shipped_at`` and the contract's columns, ``events`` the position ``s`` of
    its shipment, ``instant``, ``kind`` (``trace.Kind``, none on paper) and the contract's columns.
    """

    orders: pa.Table
    shipments: pa.Table
    events: pa.Table


def read_parcels(con: duckdb.DuckDBPyConnection) -> Parcels:
    """Read orders, shipments and tracking events and put the parcels together."""
    shipments = _read_shipments(con)
    return assemble(ParcelTables(_read_orders(con), shipments, _read_events(con, shipments)))


def assemble(tables: ParcelTables) -> Parcels:
    """Put every order's parcels together, whether there are a million orders or one."""
    orders, shipments = tables.orders, tables.shipments
    checked = _checked_numbers(shipments)
    traces = _traces(tables)
    places = tables.events.select([*PLACE, "signed_by"]).combine_chunks()
    facts = trace_facts(traces)
    owner = shipments["o"].to_numpy()
    main = _main_shipments(shipments, owner, facts, len(orders))
    numeric = {name: values_of(orders, name) for name in orders.column_names if name in _ORDER_NUMBERS}
    return Parcels(
        columns=numeric | _parcel_columns(shipments, owner, checked, facts, main),
        orders=orders.drop_columns(list(numeric)),
        shipment=_with_number(shipments, checked).take(_nullable(main)),
        picked_up=places.take(_nullable(_event_rows(traces, Kind.PICKED_UP, facts.picked_up_at, main))),
        delivered=places.take(_nullable(_event_rows(traces, Kind.DELIVERED, facts.delivered_at, main))),
        numbers=_all_numbers(owner, checked),
    )


_ORDER_NUMBERS = (
    "ordered_at", "order_shipped_at", "exempt", "combined", "cancelled", "claims_delivery", "claims_shipment",
)  # fmt: skip


def _read_orders(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Who, where to, when, and what the order's own state claims of its parcel."""
    table = con.sql("""
        SELECT o, seller_id, epoch_us(created_at) / 1e6 AS ordered_at,
               epoch_us(shipped_at) / 1e6 AS order_shipped_at,
               is_sample, is_replacement, is_exchange,
               CASE WHEN combined_group_id IS NOT NULL THEN hash(combined_group_id) END AS combined_group,
               cancelled_at IS NOT NULL OR coalesce(status = 'CANCELLED', false) AS cancelled,
               delivered_at IS NOT NULL OR completed_at IS NOT NULL
                   OR coalesce(status IN ('DELIVERED', 'COMPLETED'), false) AS claims_delivery,
               shipped_at IS NOT NULL OR delivered_at IS NOT NULL OR completed_at IS NOT NULL
                   OR coalesce(status IN ('IN_TRANSIT', 'DELIVERED', 'COMPLETED'), false) AS claims_shipment,
               recipient_name, ship_to_country, ship_to_region, ship_to_city, ship_to_postcode
        FROM orders
    """).to_arrow_table()
    return order_kinds(ordered(table))


def order_kinds(orders: pa.Table) -> pa.Table:
    """Add ``exempt`` (a sample, replacement or exchange) and ``combined`` (shipped with others on purpose)."""
    sample, replacement, exchange = (pc.fill_null(orders[f"is_{k}"], False) for k in _EXEMPT)
    exempt = pc.or_(sample, pc.or_(replacement, exchange))
    kinds = orders.append_column("exempt", exempt)
    kinds = kinds.append_column("combined", orders["combined_group"].is_valid())
    return kinds.drop_columns([f"is_{kind}" for kind in _EXEMPT])


_EXEMPT = ("sample", "replacement", "exchange")


def _read_shipments(con: duckdb.DuckDBPyConnection) -> pa.Table:
    return con.sql("""
        SELECT o, epoch_us(orders.created_at) / 1e6 AS ordered_at, shipment_id, carrier, tracking_number,
               last_mile_tracking_number, epoch_us(h.created_at) / 1e6 AS label_at,
               epoch_us(h.shipped_at) / 1e6 AS shipped_at, handover, ship_from_country, ship_from_region,
               ship_from_city, ship_from_postcode, declared_weight_g
        FROM shipments h JOIN orders USING (order_id)
    """).to_arrow_table().combine_chunks()  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Checked:
    """What the registry and the first-mile switch say of each shipment's number."""

    number: pa.Array
    last_mile_number: pa.Array
    number_invalid: Floats
    carrier_mismatch: Floats
    first_mile: Floats
    extra_seconds: Floats


_INVALID = {Verdict.VALID: 0.0, Verdict.UNUSUAL: 0.5, Verdict.BAD_FORMAT: 1.0, Verdict.BAD_CHECK: 1.0}


def _checked_numbers(shipments: pa.Table) -> _Checked:
    number, carrier, city = (_text(shipments, c) for c in ("tracking_number", "carrier", "ship_from_city"))
    number = normalise(number)
    verdicts = check_clean(number, carrier)
    fit = first_mile_fit(
        number, carrier, _text(shipments, "handover"), city, values_of(shipments, "label_at")
    )
    foreign = np.where(verdicts == Verdict.UNKNOWN, np.nan, foreign_numbers(number, verdicts))
    invalid = np.array([_INVALID.get(verdict, np.nan) for verdict in Verdict])[verdicts]
    return _Checked(
        number=number,
        last_mile_number=normalise(_text(shipments, "last_mile_tracking_number")),
        number_invalid=np.where(fit == 1, 0.0, invalid),
        carrier_mismatch=np.where(np.isnan(fit), foreign, 1 - fit),
        first_mile=(~np.isnan(fit)).astype(np.float64),
        extra_seconds=extra_ship_seconds(values_of(shipments, "ordered_at"), city),
    )


def _read_events(con: duckdb.DuckDBPyConnection, shipments: pa.Table) -> pa.Table:
    """All events but those on paper; places and signatures of pick-ups and deliveries only (else null)."""
    kinds = " ".join(f"WHEN '{status}' THEN {int(kind)}" for status, kind in STATUS_KIND.items())
    texts = (*PLACE, "signed_by")
    place = ", ".join(
        f"CASE WHEN kind IN ({Kind.PICKED_UP}, {Kind.DELIVERED}) THEN {c} END AS {c}" for c in texts
    )
    con.register(
        "tk_shipment", pa.table({"s": np.arange(len(shipments)), "shipment_id": shipments["shipment_id"]})
    )
    events = con.sql(f"""
        SELECT s, epoch_us(event_at) / 1e6 AS instant, kind, latitude, longitude, weight_g, {place}
        FROM (SELECT *, (CASE status {kinds} ELSE 0 END)::TINYINT AS kind FROM tracking_events)
        JOIN tk_shipment USING (shipment_id) WHERE kind > 0
    """).to_arrow_table()
    con.unregister("tk_shipment")
    return events


def _traces(tables: ParcelTables) -> Traces:
    shipments, events = tables.shipments, tables.events
    return Traces(
        count=len(shipments),
        shipment=events["s"].to_numpy(),
        at=values_of(events, "instant"),
        kind=events["kind"].to_numpy(),
        latitude=values_of(events, "latitude"),
        longitude=values_of(events, "longitude"),
        grams=values_of(events, "weight_g"),
        ordered_at=values_of(shipments, "ordered_at"),
    )


def _main_shipments(shipments: pa.Table, owner: Rows, facts: TraceFacts, orders: int) -> Rows:
    """Row of every order's main shipment, −1 for none; of equals the first label, then the first id."""
    main = np.full(orders, -1, np.int64)
    main[owner] = np.arange(len(owner))
    several = np.flatnonzero((np.bincount(owner, minlength=orders) > 1)[owner])
    ids = np.array(shipments["shipment_id"].take(pa.array(several)).to_pylist(), dtype=object)
    rank = np.unique(ids, return_inverse=True)[1] if len(ids) else several
    label_at = values_of(shipments, "label_at")[several]
    never, unseen = np.isnan(facts.delivered_at[several]), np.isnan(facts.scanned_at[several])
    worst_first = np.lexsort((rank, label_at, -facts.scans[several], unseen, never))[::-1]
    main[owner[several[worst_first]]] = several[worst_first]
    return main


def _parcel_columns(
    shipments: pa.Table, owner: Rows, checked: _Checked, facts: TraceFacts, main: Rows
) -> dict[str, Floats]:
    """Numbers of the main parcel; of number checks, label and weights those of all the order's parcels."""
    orders = len(main)
    parcels = np.bincount(owner, minlength=orders).astype(np.float64)
    label_at = values_of(shipments, "label_at")
    numbered = checked.number.is_valid().to_numpy(zero_copy_only=False).astype(np.float64)
    of_main = {
        "shipped_at": values_of(shipments, "shipped_at"), "numbered": numbered,
        "first_mile": checked.first_mile, "extra_seconds": checked.extra_seconds,
        "accepted_at": facts.accepted_at, "picked_up_at": facts.picked_up_at, "scanned_at": facts.scanned_at,
        "delivered_at": facts.delivered_at, "trace_scans": facts.scans, "number_disowned": facts.dead,
        "pickup_point": facts.pickup_point, "max_speed_kmh": facts.max_speed_kmh,
    }  # fmt: skip
    columns = {name: taken(values, main) for name, values in of_main.items()}
    return columns | {
        "parcels": np.where(parcels > 0, parcels, np.nan),
        "number_invalid": _most(owner, checked.number_invalid, orders),
        "carrier_mismatch": _most(owner, checked.carrier_mismatch, orders),
        "label_at": -_most(owner, -label_at, orders),
        "grams": _all_of(owner, facts.grams, parcels),
        "declared_grams": _all_of(owner, values_of(shipments, "declared_weight_g"), parcels),
        "rhythm": np.where(main >= 0, facts.rhythm[main] if len(owner) else 0, 0),
    }


def _most(owner: Rows, values: Floats, orders: int) -> Floats:
    """Highest known value of each order's shipments."""
    out = np.full(orders, -np.inf)
    known = np.flatnonzero(~np.isnan(values))
    np.maximum.at(out, owner[known], values[known])
    return np.where(np.isfinite(out), out, np.nan)


def _all_of(owner: Rows, values: Floats, parcels: Floats) -> Floats:
    """Sum over each order's shipments, NaN where one is not known."""
    return np.where(parcels > 0, np.bincount(owner, values, minlength=len(parcels)), np.nan)


def _event_rows(traces: Traces, kind: Kind, at: Floats, main: Rows) -> Rows:
    """Row of the event of that kind and time of every order's main shipment, −1 for none."""
    row = np.full(traces.count + 1, -1, np.int64)  # the last one stands for 'no shipment'
    found = np.flatnonzero(traces.kind == kind)
    found = found[traces.at[found] == at[traces.shipment[found]]]
    row[traces.shipment[found]] = found
    return np.asarray(row[main])


def _with_number(shipments: pa.Table, checked: _Checked) -> pa.Table:
    kept = shipments.select(["carrier", *(f"ship_from_{level}" for level in PLACE)])
    return kept.append_column("number", checked.number)


def _all_numbers(owner: Rows, checked: _Checked) -> pa.Table:
    numbers = pa.chunked_array([checked.number, checked.last_mile_number])
    return pa.table({"o": np.concatenate([owner, owner]), "number": numbers}).filter(numbers.is_valid())


def _nullable(rows: Rows) -> pa.Array:
    return pa.array(rows, mask=rows < 0)


def _text(table: pa.Table, name: str) -> pa.Array:
    column = table[name].cast(pa.string())
    chunks: Sequence[pa.Array] = column.chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())
