"""Whatever comes in: nothing is lost, and the order of the rows does not matter."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_builders import Row, csv_text, read, rejects, rows_of, write

from detector.ingest import Ingested

SETTINGS = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

ITEMS = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["o1", "o2", "o3", "", None]),
        "line_no": st.sampled_from(["1", "2", " "]),
        "product_id": st.sampled_from(["p1", "p2", None, "a,b", 'say "x"', "two\nlines"]),
        "quantity": st.sampled_from(["1", "1.0", "2", "-1", "1.5", "many", None]),
    }
)


def oracle(rows: list[Row]) -> tuple[list[tuple[Any, ...]], set[int], int]:
    """(kept rows, rejected row numbers, duplicates) for order items, one row at a time."""
    kept: dict[tuple[str, str], tuple[Any, ...]] = {}
    rejected: set[int] = set()
    duplicates = 0
    for number, row in enumerate(rows, start=1):
        order_id, line_no = row["order_id"] or "", row["line_no"] or ""
        quantity = {"1": 1, "1.0": 1, "2": 2, None: None}.get(row["quantity"], "bad")
        if not order_id.strip() or not line_no.strip() or quantity == "bad":
            rejected.add(number)
            continue
        clean = (order_id, line_no, row["product_id"], quantity)
        first = kept.setdefault((order_id, line_no), clean)
        if first is clean:
            continue
        if first == clean:
            duplicates += 1
        else:
            rejected.add(number)
    return sorted(kept.values(), key=lambda clean: clean[:2]), rejected, duplicates


def ingest_items(folder: Path, form: str, rows: list[Row]) -> Ingested:
    write(folder, "csv", "orders", [{"order_id": "o1", "seller_id": "s", "buyer_id": "b"} | ORDER_REST])
    write(folder, form, "order_items", rows)
    return read(folder)


ORDER_REST: Row = {"created_at": "2024-05-01T10:00:00Z", "currency": "USD", "total_minor": "1"}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@SETTINGS
@given(rows=st.lists(ITEMS, min_size=1, max_size=12))
def test_counts_balance_and_agree_with_a_row_by_row_reading(form: str, rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ingested = ingest_items(Path(folder), form, rows)
    kept, rejected, duplicates = oracle(rows)
    assert rows_of(ingested, "order_items", "order_id", "line_no", "product_id", "quantity") == kept
    assert {row[2] for row in rejects(ingested)} == rejected
    count = ingested.counts["order_items"]
    assert (count.rows_in, count.rows_kept, count.rows_rejected) == (len(rows), len(kept), len(rejected))
    assert count.rows_deduplicated == duplicates


TITLES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)
    | st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", "'", " ", ";", "\t", "\\"]), max_size=8).map(
        "".join
    ),
    min_size=1,
    max_size=30,
)


@SETTINGS
@given(titles=TITLES, newline=st.sampled_from(["\n", "\r\n"]), stray=st.booleans())
def test_any_text_comes_back_as_it_was(titles: list[str], newline: str, stray: bool) -> None:
    """Both readers: with a ragged line at the end, the file goes the careful way."""
    rows: list[Row] = [{"product_id": f"p{n:02d}", "title": title} for n, title in enumerate(titles)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, "csv", "orders", [{"order_id": "o1", "seller_id": "s", "buyer_id": "b"} | ORDER_REST])
        text = csv_text(rows, newline) + ("one" + newline if stray else "")
        (folder / "products.csv").write_bytes(text.encode())
        ingested = read(folder)
    assert rows_of(ingested, "products", "product_id", "title") == [
        (row["product_id"], title if title.strip(" \t\r\n") else None)
        for row, title in zip(rows, titles, strict=True)
    ]
    assert [row[2] for row in rejects(ingested)] == ([len(rows) + 1] if stray else [])


LINES = st.lists(
    st.text(alphabet=st.sampled_from('ab,"\n\r 1-é'), max_size=14).map(str.encode)
    | st.sampled_from([b"o1,1,p1,2", b"o2,1,,", b'o3,1,"x\ny",1', b"\xff,1,p,1"]),
    max_size=8,
)


@SETTINGS
@given(lines=LINES)
def test_any_bytes_balance(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, "csv", "orders", [{"order_id": "o1", "seller_id": "s", "buyer_id": "b"} | ORDER_REST])
        header = b"order_id,line_no,product_id,quantity"
        (folder / "order_items.csv").write_bytes(b"\n".join([header, *lines, b""]))
        ingested = read(folder)
    count = ingested.counts["order_items"]
    assert count.rows_in == count.rows_kept + count.rows_rejected + count.rows_deduplicated
    assert count.rows_in == next(file.rows for file in ingested.files if file.table == "order_items")
    assert count.rows_kept == len(rows_of(ingested, "order_items"))
    numbers = [row[2] for row in rejects(ingested)]
    assert len(numbers) == len(set(numbers)) == count.rows_rejected
    assert all(1 <= number <= count.rows_in for number in numbers)


def _market(seed: int) -> dict[str, list[Row]]:
    chance = random.Random(seed)
    orders: list[Row] = [
        {"order_id": f"o{n}", "seller_id": f"s{n % 7}", "buyer_id": f"b{n % 40}"}
        | {"created_at": f"2024-05-{n % 28 + 1:02d}T{n % 24:02d}:00:00Z"}
        | {"currency": chance.choice(["USD", "EUR", "US$"]), "total_minor": str(chance.randint(-20, 900))}
        for n in range(400)
    ]
    events: list[Row] = [
        {"shipment_id": f"h{n % 90}", "event_at": f"2024-06-01T{n // 60:02d}:{n % 60:02d}:00Z"}
        | {"status": chance.choice(["PICKED_UP", "IN_TRANSIT", "LOST"]), "latitude": str(n % 95)}
        for n in range(500)
    ]
    return {"orders": orders + orders[:20], "tracking_events": events + events[-30:]}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_shuffled_input_gives_the_same_tables(tmp_path: Path, form: str) -> None:
    market = _market(3)
    shuffled = {table: random.Random(5).sample(rows, len(rows)) for table, rows in market.items()}
    for table in market:
        write(tmp_path / "a", form, table, market[table])
        write(tmp_path / "b", form, table, shuffled[table])
    first, second = read(tmp_path / "a"), read(tmp_path / "b")
    assert first.counts == second.counts
    for table in market:
        assert rows_of(first, table) == rows_of(second, table)
    reasons = [sorted((row[3], row[5]) for row in rejects(ingested)) for ingested in (first, second)]
    assert reasons[0] == reasons[1]


def test_csv_and_parquet_and_parts_give_the_same_tables(tmp_path: Path) -> None:
    market = _market(11)
    for table, rows in market.items():
        write(tmp_path / "csv", "csv", table, rows)
        write(tmp_path / "gz", "csv.gz", table, rows)
        write(tmp_path / "parquet", "parquet", table, rows)
        for day in range(3):
            write(tmp_path / "parts" / table, "csv" if day else "parquet", f"part{day}", rows[day::3])
    results = [read(tmp_path / form) for form in ("csv", "gz", "parquet")]
    for table in market:
        tables = [rows_of(result, table) for result in results]
        assert tables[0] == tables[1] == tables[2] != []
    assert results[0].counts == results[1].counts == results[2].counts
    parts = read(tmp_path / "parts").counts["orders"]
    assert parts == results[0].counts["orders"]


def test_two_runs_give_equal_rejects(tmp_path: Path) -> None:
    for table, rows in _market(17).items():
        write(tmp_path, "csv", table, rows)
    first, second = read(tmp_path), read(tmp_path)
    assert rejects(first) == rejects(second) != []


def test_large_text_and_parquet_agree_on_row_numbers(tmp_path: Path) -> None:
    """More rows than one chunk of the readers, so that several threads share a file."""
    rows: list[Row] = [
        {"order_id": f"o{n}", "seller_id": "s", "buyer_id": "b\nb" if n % 5 else "b"}
        | {
            "created_at": "2024-05-01T10:00:00Z",
            "currency": "USD",
            "total_minor": "-1" if n % 9973 == 0 else "1",
        }
        for n in range(1, 130_001)
    ]
    expected = [n for n in range(1, 130_001) if n % 9973 == 0]
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/orders.csv").write_text(csv_text(rows))
    (tmp_path / "parquet").mkdir()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    pq.write_table(pa.table(columns), tmp_path / "parquet/orders.parquet", row_group_size=20_000)
    for form in ("csv", "parquet"):
        assert [row[2] for row in rejects(read(tmp_path / form))] == expected
