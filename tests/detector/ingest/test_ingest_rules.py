"""Every rule of the data contract, in every form that a table can have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_builders import (
    FORMS,
    Row,
    a_row,
    an_order,
    as_frame,
    at,
    read,
    read_frames,
    rejects,
    rows_of,
    typed,
    write,
)

from detector.contract import INPUT_TABLES
from detector.ingest import Ingested, TableCount

# (table, changed values, column, reason)
BAD_ROWS = [
    ("orders", {"order_id": None}, "order_id", "order_id is missing; every row needs one"),
    ("orders", {"buyer_id": " "}, "buyer_id", "buyer_id is missing; every row needs one"),
    ("orders", {"created_at": None}, "created_at", "created_at is missing; every row needs one"),
    (
        "orders",
        {"created_at": "yesterday"},
        "created_at",
        "created_at is 'yesterday'; it must be an ISO 8601 time such as 2024-05-01T13:45:00Z",
    ),
    (
        "orders",
        {"created_at": "2024-02-30T10:00:00Z"},
        "created_at",
        "created_at is '2024-02-30T10:00:00Z'; it must be an ISO 8601 time such as 2024-05-01T13:45:00Z",
    ),
    (
        "orders",
        {"paid_at": "2024-05-01"},
        "paid_at",
        "paid_at is '2024-05-01'; it must be an ISO 8601 time such as 2024-05-01T13:45:00Z",
    ),
    (
        "orders",
        {"paid_at": "1970-01-01T00:00:00Z"},
        "paid_at",
        "paid_at is '1970-01-01T00:00:00Z'; a time must lie between 1990 and 2199",
    ),
    (
        "orders",
        {"currency": "USX"},
        "currency",
        "currency is 'USX'; it must be an ISO 4217 currency code such as USD",
    ),
    ("orders", {"total_minor": "-5"}, "total_minor", "total_minor is -5; it must be 0 or more"),
    ("orders", {"total_minor": "19.99"}, "total_minor", "total_minor is 19.99; it must be an integer"),
    ("orders", {"total_minor": "20.00"}, "total_minor", "total_minor is 20.00; it must be an integer"),
    ("orders", {"total_minor": "1e3"}, "total_minor", "total_minor is '1e3'; it must be an integer"),
    (
        "orders",
        {"total_minor": "99999999999999999999"},
        "total_minor",
        "total_minor is 99999999999999999999; it must be an integer",
    ),
    ("orders", {"refund_minor": "-1"}, "refund_minor", "refund_minor is -1; it must be 0 or more"),
    ("orders", {"status": "LOST"}, "status", "status is 'LOST'; it must be one of UNPAID, ON_HOLD, "),
    (
        "orders",
        {"ship_to_country": "XX"},
        "ship_to_country",
        "ship_to_country is 'XX'; it must be an ISO 3166-1 alpha-2 country code such as DE",
    ),
    ("orders", {"is_sample": "maybe"}, "is_sample", "is_sample is 'maybe'; it must be true, false, 1 or 0"),
    ("order_items", {"quantity": "-2"}, "quantity", "quantity is -2; it must be 0 or more"),
    ("products", {"weight_g": "-300"}, "weight_g", "weight_g is -300; it must be 0 or more"),
    ("tracking_events", {"latitude": "91"}, "latitude", "latitude is 91; it must be from -90 to 90"),
    (
        "tracking_events",
        {"longitude": "-181.5"},
        "longitude",
        "longitude is -181.5; it must be from -180 to 180",
    ),
    ("tracking_events", {"latitude": "north"}, "latitude", "latitude is 'north'; it must be a number"),
    (
        "tracking_events",
        {"status": "FLYING"},
        "status",
        "status is 'FLYING'; it must be one of LABEL_CREATED",
    ),
    ("reviews", {"rating": "6"}, "rating", "rating is 6; it must be from 1 to 5"),
    ("reviews", {"rating": "0"}, "rating", "rating is 0; it must be from 1 to 5"),
    (
        "labels",
        {"clause": "brushing"},
        "clause",
        "clause is 'brushing'; it must be one of self_dealing, tracking_mismatch",
    ),
]
TABLES_WITH_BAD_ROWS = tuple(dict.fromkeys(table for table, *_ in BAD_ROWS))


def _with_bad_rows(table: str) -> tuple[list[Row], list[tuple[str, str]]]:
    """A good row, then each bad row followed by a good one; and the rejects to expect."""
    key = "shipment_id" if table == "tracking_events" else INPUT_TABLES[table].key[-1]
    bad = [(changes, column, reason) for found, changes, column, reason in BAD_ROWS if found == table]
    rows = [a_row(table, **{key: "good"})]
    for number, (changes, _, _) in enumerate(bad):
        rows.append(a_row(table, **({key: f"bad{number}"} | changes)))
        rows.append(a_row(table, **{key: f"good{number}"}))
    return rows, [(column, reason) for _, column, reason in bad]


def _check(ingested: Ingested, table: str, expected: list[tuple[str, str]]) -> None:
    found = [row for row in rejects(ingested) if row[0] == table]
    assert [row[4] for row in found] == [column for column, _ in expected]
    assert [row[5][: len(reason)] for row, (_, reason) in zip(found, expected, strict=True)] == [
        reason for _, reason in expected
    ]
    bad = len(expected)
    assert ingested.counts[table] == TableCount(2 * bad + 1, bad + 1, bad, 0)


@pytest.mark.parametrize("form", FORMS)
def test_each_bad_row_and_no_other_is_rejected_with_its_reason(tmp_path: Path, form: str) -> None:
    for table in TABLES_WITH_BAD_ROWS:
        write(tmp_path, form, table, _with_bad_rows(table)[0])
    ingested = read(tmp_path)
    for table in TABLES_WITH_BAD_ROWS:
        expected = _with_bad_rows(table)[1]
        _check(ingested, table, expected)
        places = [row[1:3] for row in rejects(ingested) if row[0] == table]
        rows = range(2, 2 * len(expected) + 1, 2)
        if form == "parts":
            assert places == [(f"{table}/date=2024-05-{row:02d}/part-0.parquet", 1) for row in rows]
        else:
            assert places == [(f"{table}.{form}", row) for row in rows]


def test_each_bad_row_of_frames() -> None:
    frames = {table: as_frame(_with_bad_rows(table)[0]) for table in TABLES_WITH_BAD_ROWS}
    ingested = read_frames(**frames)
    for table in TABLES_WITH_BAD_ROWS:
        _check(ingested, table, _with_bad_rows(table)[1])


def test_several_broken_rules_give_one_reject_for_the_first_column(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order(total_minor="-1", status="LOST", paid_at="soon")])
    assert [row[4] for row in rejects(read(tmp_path))] == ["total_minor"]


def test_long_value_is_cut(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order(status="x" * 100)])
    assert f"status is '{'x' * 40}…'; it must" in rejects(read(tmp_path))[0][5]


def test_identity_value_does_not_stand_in_the_key(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order()])
    write(tmp_path, "csv", "account_identifiers", [a_row("account_identifiers", account_kind="robot")])
    assert rejects(read(tmp_path))[0][3] == "robot, b1, device"


def _orders_with(column: str, texts: Sequence[str]) -> list[Row]:
    return [an_order(f"o{number:02d}", **{column: text}) for number, text in enumerate(texts)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_times_become_utc(tmp_path: Path, form: str) -> None:
    instants = {
        "2024-05-01T10:00:00Z": "2024-05-01T10:00:00",
        "2024-05-01 10:00:00": "2024-05-01T10:00:00",
        "2024-05-01T10:00": "2024-05-01T10:00:00",
        "2024-05-01T10:00:00+08:00": "2024-05-01T02:00:00",
        "2024-05-01T10:00:00.25-0330": "2024-05-01T13:30:00.250000",
        "2024-05-01 10:00:00+00": "2024-05-01T10:00:00",
        "2024-02-29T23:59:59.999999Z": "2024-02-29T23:59:59.999999",
    }
    write(tmp_path, form, "orders", _orders_with("paid_at", list(instants)))
    assert rows_of(read(tmp_path), "orders", "paid_at") == [(at(text),) for text in instants.values()]


def test_other_ways_to_write_a_time_are_refused(tmp_path: Path) -> None:
    texts = [
        *("infinity", "epoch", "20240501T100000Z", "01/05/2024 10:00", "2024-5-1 10:00", "1714557600"),
        *("2024-05-01T10:00:00 Europe/Paris", "2024-05-01T25:00:00Z", "2024-05-01T10:00:00+99:00"),
        *("2024-05-01 (BC) 10:00:00", "2023-02-29T10:00:00Z", "2024-05-01T10:60:00Z", "0024-05-01T10:00:00Z"),
    ]
    write(tmp_path, "csv", "orders", _orders_with("paid_at", texts))
    assert [(row[2], row[4]) for row in rejects(read(tmp_path))] == [
        (number, "paid_at") for number in range(1, len(texts) + 1)
    ]


def test_integers(tmp_path: Path) -> None:
    numbers = {"7": 7, "7.0": 7, "+7": 7, " 7 ": 7, "007": 7, "9223372036854775807": 2**63 - 1}
    write(tmp_path, "csv", "orders", _orders_with("total_minor", list(numbers)))
    assert rows_of(read(tmp_path), "orders", "total_minor") == [(number,) for number in numbers.values()]


def test_flags(tmp_path: Path) -> None:
    flags = {"true": True, "True": True, "1": True, "1.0": True, "FALSE": False, "0": False, "0.0": False}
    write(tmp_path, "csv", "orders", _orders_with("is_sample", list(flags)))
    assert rows_of(read(tmp_path), "orders", "is_sample") == [(flag,) for flag in flags.values()]


def test_blank_means_missing(tmp_path: Path) -> None:
    order = an_order(status="", paid_at=" ", refund_minor="", is_sample="", device_id="  ")
    for form in ("csv", "parquet"):
        write(tmp_path / form, form, "orders", [order])
        found = rows_of(
            read(tmp_path / form), "orders", "status", "paid_at", "refund_minor", "is_sample", "device_id"
        )
        assert found == [(None, None, None, None, None)]


NATIVE: dict[str, list[tuple[pa.Array, Any]]] = {
    "created_at": [
        (pa.array([datetime(2024, 5, 1, 10)], pa.timestamp("us")), at("2024-05-01T10:00")),
        (pa.array([datetime(2024, 5, 1, 10)], pa.timestamp("ns", tz="UTC")), at("2024-05-01T10:00")),
        (
            pa.array([datetime(2024, 5, 1, 10)], pa.timestamp("ms", tz="Asia/Shanghai")),
            at("2024-05-01T10:00"),
        ),
        (pa.array([datetime(2024, 5, 1, 10)], pa.timestamp("s")), at("2024-05-01T10:00")),
        (pa.array(["2024-05-01T18:00:00+08:00"]), at("2024-05-01T10:00")),
    ],
    "total_minor": [
        (pa.array([5], pa.int32()), 5),
        (pa.array([5], pa.uint64()), 5),
        (pa.array([5.0]), 5),
        (pa.array([Decimal("5.00")]), 5),
        (pa.array(["5"]), 5),
    ],
    "refund_minor": [(pa.array([float("nan")]), None), (pa.nulls(1), None), (pa.array([7]), 7)],
    "device_id": [
        (pa.array(["d1"]).dictionary_encode(), "d1"),
        (pa.array([b"d1"]), "d1"),
        (pa.array([17]), "17"),
        (pa.array([17.0]), "17"),
        (pa.array([float("nan")]), None),
    ],
    "is_sample": [(pa.array([1], pa.int8()), True), (pa.array([0.0]), False), (pa.array([True]), True)],
}
BROKEN_NATIVE: list[tuple[str, pa.Array]] = [
    ("created_at", pa.array([date(2024, 5, 1)])),
    ("created_at", pa.array([1714557600])),
    ("created_at", pa.array([datetime(9999, 1, 1)], pa.timestamp("us"))),
    ("total_minor", pa.array([19.99])),
    ("total_minor", pa.array([Decimal("19.99")])),
    ("total_minor", pa.array([True])),
    ("total_minor", pa.array([-1], pa.int16())),
    ("is_sample", pa.array([2])),
    ("order_id", pa.array([b"\xff"])),
    ("device_id", pa.array([b"\xff"])),
    ("paid_at", pa.array([b"noon"])),
]


@pytest.mark.parametrize("column", list(NATIVE))
def test_parquet_types_are_converted_part_by_part(tmp_path: Path, column: str) -> None:
    for number, (values, _) in enumerate(NATIVE[column]):
        _write_native(tmp_path, f"o{number}", column, values)
    ingested = read(tmp_path)
    assert rejects(ingested) == []
    found = dict(rows_of(ingested, "orders", "order_id", column))
    assert [found[f"o{number}"] for number in range(len(found))] == [value for _, value in NATIVE[column]]


def test_parquet_values_that_break_a_rule(tmp_path: Path) -> None:
    for number, (column, values) in enumerate(BROKEN_NATIVE):
        _write_native(tmp_path, f"o{number:02d}", column, values)
    found = rejects(read(tmp_path))
    assert [row[4] for row in found] == [column for column, _ in BROKEN_NATIVE]
    assert all(row[5].startswith(f"{row[4]} is ") for row in found)


def _write_native(folder: Path, order_id: str, column: str, values: pa.Array) -> None:
    """A part with one order whose ``column`` has a Parquet type of its own."""
    texts = {name: text for name, text in an_order(order_id).items() if name != column}
    part = pa.table({name: pa.array([text]) for name, text in texts.items()})
    (folder / "orders").mkdir(exist_ok=True)
    pq.write_table(part.append_column(column, values), folder / "orders" / f"{order_id}.parquet")


def test_clean_parquet_in_the_contracts_types(tmp_path: Path) -> None:
    orders = [
        {
            "order_id": f"o{n}",
            "seller_id": "s",
            "buyer_id": "b",
            "created_at": datetime(2024, 5, n, tzinfo=UTC),
        }
        | {"currency": "EUR", "total_minor": n}
        for n in (3, 1, 2)
    ]
    pq.write_table(typed("orders", orders), tmp_path / "orders.parquet")
    ingested = read(tmp_path)
    assert rows_of(ingested, "orders", "order_id", "total_minor", "o") == [
        ("o1", 1, 0),
        ("o2", 2, 1),
        ("o3", 3, 2),
    ]
    assert ingested.counts["orders"] == TableCount(3, 3, 0, 0)
    assert ingested.present["orders"] == set(orders[0])


def test_every_table_and_column_is_there_and_typed(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order()])
    ingested = read(tmp_path)
    duck = {"timestamp": "TIMESTAMP", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN"}
    for table in INPUT_TABLES.values():
        described = ingested.con.execute(f"DESCRIBE {table.name}").fetchall()
        expected = [(column.name, duck.get(column.kind, "VARCHAR")) for column in table.columns]
        assert [(name, kind) for name, kind, *_ in described if name != "o"] == expected
        assert ingested.present[table.name] == (set(an_order()) if table.name == "orders" else frozenset())
        assert ingested.counts[table.name].rows_in == (1 if table.name == "orders" else 0)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_masked_values_become_unknown_and_are_counted(tmp_path: Path, form: str) -> None:
    orders = [
        an_order("o1", recipient_name="张*", recipient_phone="(+1)213***88", ship_to_country="***"),
        an_order("o2", recipient_name="Ann", recipient_phone="555", ship_to_address="1** Main St"),
        an_order("o3", recipient_name="Bob", ship_to_address="5 * Main St", payment_method="**"),
    ]
    write(tmp_path, form, "orders", orders)
    write(tmp_path, form, "account_identifiers", [a_row("account_identifiers", identifier_value="***")] * 2)
    ingested = read(tmp_path)
    columns = ("recipient_name", "recipient_phone", "ship_to_country", "ship_to_address", "payment_method")
    assert rows_of(ingested, "orders", *columns) == [
        (None, None, None, None, None),
        ("Ann", "555", "DE", None, None),
        ("Bob", None, "DE", "5 * Main St", "**"),
    ]
    assert rows_of(ingested, "account_identifiers", "account_id", "identifier_value") == [("b1", None)]
    assert ingested.masked == {
        "orders.recipient_name": 1,
        "orders.recipient_phone": 1,
        "orders.ship_to_address": 1,
        "orders.ship_to_country": 1,
        "account_identifiers.identifier_value": 2,
    }
    assert rejects(ingested) == []
