"""Files as they come: line ends, encodings, parts, empty files, broken lines."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_builders import a_row, an_order, as_frame, csv_text, read, read_frames, rejects, rows_of, write

from detector.errors import InputError
from detector.ingest import TableCount

HEADER = "order_id,seller_id,buyer_id,created_at,currency,total_minor,recipient_name\n"


def _line(order_id: str, name: str = "Ann") -> str:
    return f"{order_id},s1,b1,2024-05-01T10:00:00Z,USD,5,{name}\n"


def _orders(folder: Path, *lines: str) -> None:
    (folder / "orders.csv").write_bytes((HEADER + "".join(lines)).encode())


def test_bom_crlf_and_quoted_newlines(tmp_path: Path) -> None:
    rows = [
        an_order("o1", recipient_name="Ann\r\nLee"),
        an_order("o2", recipient_name='say "hi", Bob'),
        an_order("o3", total_minor="-1"),
    ]
    (tmp_path / "orders.csv").write_bytes(b"\xef\xbb\xbf" + csv_text(rows, newline="\r\n").encode())
    ingested = read(tmp_path)
    assert rows_of(ingested, "orders", "order_id", "recipient_name") == [
        ("o1", "Ann\r\nLee"),
        ("o2", 'say "hi", Bob'),
    ]
    assert [(row[2], row[3]) for row in rejects(ingested)] == [(3, "o3")]


def test_ragged_lines_are_rejected_with_their_row(tmp_path: Path) -> None:
    lines = [
        _line("o1", '"A\nB"'),
        "o2,s1\n",
        "\n",
        _line("o3"),
        _line("o4", "Ann,extra"),
        _line("o5"),
        _line("o6", "-").replace("USD", "US$"),
    ]
    _orders(tmp_path, *lines)
    ingested = read(tmp_path)
    assert [(row[2], row[3], row[4], row[5]) for row in rejects(ingested)] == [
        (2, None, None, "the line has 2 fields; the header has 7"),
        (4, None, None, "the line has 8 fields; the header has 7"),
        (6, "o6", "currency", "currency is 'US$'; it must be an ISO 4217 currency code such as USD"),
    ]
    assert ingested.counts["orders"] == TableCount(6, 3, 3, 0)
    assert rows_of(ingested, "orders", "order_id", "recipient_name")[0] == ("o1", "A\nB")


def test_an_open_quote_costs_one_line_only(tmp_path: Path) -> None:
    _orders(
        tmp_path,
        _line("o1"),
        _line("o2", '"Ann'),
        _line("o3"),
        _line("o4", 'An"n'),
        _line("o5", '"A"nn'),
        _line("o6"),
    )
    ingested = read(tmp_path)
    assert [order_id for (order_id,) in rows_of(ingested, "orders", "order_id")] == ["o1", "o3", "o4", "o6"]
    assert [row[2] for row in rejects(ingested)] == [2, 5]
    assert ingested.counts["orders"] == TableCount(6, 4, 2, 0)


def test_a_line_that_is_not_utf8_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(
        HEADER.encode() + _line("o1", "José").encode("latin-1") + _line("o2", "José").encode()
    )
    ingested = read(tmp_path)
    assert rows_of(ingested, "orders", "order_id", "recipient_name") == [("o2", "José")]
    assert rejects(ingested) == [
        ("orders", "orders.csv", 1, None, None, "the line is not UTF-8 text; write the file as UTF-8")
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "orders.csv").write_bytes((HEADER + _line("o1")).encode(encoding))
    with pytest.raises(InputError, match=r"orders\.csv .*UTF-8"):
        read(tmp_path)


def test_broken_lines_of_a_large_file_leave_the_other_row_numbers_right(tmp_path: Path) -> None:
    lines = [_line(f"o{n}", '"x\ny"' if n % 7 == 0 else "Ann") for n in range(1, 120_001)]
    lines[69_999] = "broken\n"
    lines[99_999] = _line("o100000").replace("USD", "??")
    (tmp_path / "orders.csv.gz").write_bytes(gzip.compress((HEADER + "".join(lines)).encode(), 1))
    ingested = read(tmp_path)
    assert [row[2] for row in rejects(ingested)] == [70_000, 100_000]
    assert ingested.counts["orders"] == TableCount(120_000, 119_998, 2, 0)


@pytest.mark.parametrize(
    "name", ["shipments.csv", "shipments.csv.gz", "shipments.parquet", "shipments/part.csv"]
)
def test_empty_optional_file_is_a_missing_table_and_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, "csv", "orders", [an_order()])
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    ingested = read(tmp_path)
    assert ingested.notes == (f"{name} is empty: read as no rows",)
    assert ingested.present["shipments"] == frozenset()
    assert [(file.path, file.rows) for file in ingested.files] == [("orders.csv", 1), (name, 0)]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n"])
def test_empty_orders_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "orders.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"orders\.csv is empty; orders needs a header"):
        read(tmp_path)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_table_without_rows(tmp_path: Path, form: str) -> None:
    write(tmp_path, form, "orders", [an_order()])
    if form == "csv":
        (tmp_path / "reviews.csv").write_text("review_id,rating\n")
    else:
        pq.write_table(
            pa.table({"review_id": pa.nulls(0), "rating": pa.nulls(0)}), tmp_path / "reviews.parquet"
        )
    ingested = read(tmp_path)
    assert ingested.present["reviews"] == {"review_id", "rating"}
    assert ingested.counts["reviews"] == TableCount()
    assert rows_of(ingested, "reviews") == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_missing_required_column_names_table_file_column_and_what_is_there(tmp_path: Path, form: str) -> None:
    write(tmp_path, form, "orders", [{name: text for name, text in an_order().items() if name != "currency"}])
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"table orders: orders.{form} has no column currency, which is required; columns found: order_id, "
        "seller_id, buyer_id, created_at, total_minor, status, paid_at, refund_minor, ship_to_country, "
        "is_sample"
    )


def test_missing_required_column_of_an_optional_table_or_part(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order()])
    write(tmp_path / "reviews", "csv", "a", [a_row("reviews")])
    write(tmp_path / "reviews", "csv", "b", [{"rating": "5"}])
    with pytest.raises(InputError, match=r"table reviews: reviews/b\.csv has no column review_id"):
        read(tmp_path)


def test_folder_problems(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no table orders, the one that is required"):
        read(tmp_path)
    write(tmp_path, "csv", "orders", [an_order()])
    write(tmp_path, "parquet", "orders", [an_order()])
    with pytest.raises(
        InputError, match=r"holds table orders twice, as orders\.csv and orders\.parquet; keep one"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.parquet", b"not parquet at all", r"orders\.parquet cannot be read as Parquet"),
        ("orders.csv.gz", b"not gzip at all", r"orders\.csv\.gz cannot be read: Not a gzipped file"),
        ("orders.csv", b"order_id,order_id\na,b\n", r"orders\.csv names column order_id twice"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_truncated_gzip_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "".join(_line(f"o{n}") for n in range(5000))).encode())
    (tmp_path / "orders.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"orders\.csv\.gz cannot be read"):
        read(tmp_path)


def test_parts_of_different_columns_types_and_formats(tmp_path: Path) -> None:
    write(tmp_path / "orders/date=2024-05-01", "csv", "a", [an_order("o1", total_minor="-1"), an_order("o2")])
    write(tmp_path / "orders/date=2024-05-02", "parquet", "a", [an_order("o3", device_id="d")])
    day3 = tmp_path / "orders/date=2024-05-03"
    day3.mkdir()
    order = as_frame([an_order("o4"), an_order("o5")]).assign(
        created_at=pd.to_datetime(["2024-05-03", "2024-05-03"], utc=True), total_minor=[7.0, -2.0]
    )
    order.to_parquet(day3 / "a.parquet")
    (tmp_path / "orders/_SUCCESS").write_text("")
    (tmp_path / "orders/.a.csv").write_text("x")
    ingested = read(tmp_path)
    assert rows_of(ingested, "orders", "order_id", "total_minor", "device_id") == [
        ("o2", 1999, None),
        ("o3", 1999, "d"),
        ("o4", 7, None),
    ]
    assert [row[1:4] for row in rejects(ingested)] == [
        ("orders/date=2024-05-01/a.csv", 1, "o1"),
        ("orders/date=2024-05-03/a.parquet", 2, "o5"),
    ]
    assert ingested.present["orders"] == {*an_order(), "device_id"}
    assert [file.rows for file in ingested.files] == [2, 1, 2]


def test_files_are_listed_with_hash_and_other_entries_named(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order(colour="red", size="XL")])
    write(tmp_path, "csv", "order_item", [a_row("order_items")])
    (tmp_path / "readme.txt").write_text("x")
    ingested = read(tmp_path)
    (file,) = ingested.files
    assert (file.table, file.path, file.rows) == ("orders", "orders.csv", 1)
    assert file.sha256 == hashlib.sha256((tmp_path / "orders.csv").read_bytes()).hexdigest()
    assert ingested.ignored_columns == {"orders": ("colour", "size")}
    assert ingested.notes == (
        "order_item.csv is no table of the data contract: not read",
        "readme.txt is no table of the data contract: not read",
    )


def test_duplicates_and_conflicts(tmp_path: Path) -> None:
    rows = [
        an_order("o1"),
        an_order("o1", created_at="2024-05-01 12:00:00+02:00"),
        an_order("o1", total_minor="7"),
        an_order("o2", total_minor="7"),
        an_order("o2"),
        an_order("o2"),
        an_order("o3", total_minor="-1"),
        an_order("o3", total_minor="-1"),
    ]
    for form in ("csv", "parquet"):
        write(tmp_path / form, form, "orders", rows)
        ingested = read(tmp_path / form)
        assert ingested.counts["orders"] == TableCount(8, 2, 5, 1)
        assert rows_of(ingested, "orders", "order_id", "total_minor") == [("o1", 1999), ("o2", 7)]
        repeated = "an earlier row has this key and other content; it stays, as a key must be unique"
        negative = "total_minor is -1; it must be 0 or more"
        assert [row[2:] for row in rejects(ingested)] == [
            (3, "o1", "order_id", repeated),
            (5, "o2", "order_id", repeated),
            (6, "o2", "order_id", repeated),
            (7, "o3", "total_minor", negative),
            (8, "o3", "total_minor", negative),
        ]


def test_table_without_a_key_loses_exact_duplicates_only(tmp_path: Path) -> None:
    write(tmp_path, "csv", "orders", [an_order()])
    clicks = [a_row("affiliate_clicks"), a_row("affiliate_clicks", device_id="d"), a_row("affiliate_clicks")]
    write(tmp_path, "csv", "affiliate_clicks", clicks)
    ingested = read(tmp_path)
    assert ingested.counts["affiliate_clicks"] == TableCount(3, 2, 0, 1)
    assert rejects(ingested) == []


def test_history_is_merged_and_the_inputs_row_stays(tmp_path: Path) -> None:
    write(tmp_path / "day", "csv", "orders", [an_order("o2", status="DELIVERED"), an_order("o3")])
    write(
        tmp_path / "past",
        "parquet",
        "orders",
        [an_order("o1"), an_order("o2", status="IN_TRANSIT"), an_order("o3")],
    )
    write(tmp_path / "past", "csv", "sellers", [a_row("sellers")])
    ingested = read(tmp_path / "day", history=tmp_path / "past")
    assert rows_of(ingested, "orders", "order_id", "status") == [
        ("o1", "COMPLETED"),
        ("o2", "DELIVERED"),
        ("o3", "COMPLETED"),
    ]
    assert ingested.counts["orders"] == TableCount(5, 3, 1, 1)
    assert [row[1:4] for row in rejects(ingested)] == [("past/orders.parquet", 2, "o2")]
    assert [file.path for file in ingested.files] == ["orders.csv", "past/orders.parquet", "past/sellers.csv"]
    assert ingested.counts["sellers"].rows_kept == 1


def test_orders_must_be_in_the_input_itself(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write(tmp_path / "past", "csv", "orders", [an_order("o1")])
    with pytest.raises(InputError, match="day has no table orders"):
        read(tmp_path / "day", history=tmp_path / "past")


def test_reading_again_replaces_everything(tmp_path: Path) -> None:
    write(tmp_path / "a", "csv", "orders", [an_order("o1", total_minor="-1"), an_order("o2")])
    write(tmp_path / "b", "csv", "orders", [an_order("o3")])
    first = read(tmp_path / "a")
    again = read_frames(orders=as_frame([an_order("o9")]))
    assert rows_of(first, "orders", "order_id") == [("o2",)]
    assert rows_of(again, "orders", "order_id") == [("o9",)]
    assert first.con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall() == []
    assert first.con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall() == []


def test_frames_of_unknown_or_missing_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="order is no table of the data contract; tables: orders, "):
        read_frames(order=as_frame([an_order()]))
    with pytest.raises(InputError, match="there is no frame orders"):
        read_frames(buyers=as_frame([a_row("buyers")]))
    with pytest.raises(InputError, match="table orders: the frame has no column order_id"):
        read_frames(orders=pd.DataFrame({"seller_id": ["s"]}))


def test_frame_with_mixed_values(tmp_path: Path) -> None:
    frame = as_frame([an_order("o1"), an_order("o2"), an_order("o3")]).assign(total_minor=[5, "six", None])
    ingested = read_frames(orders=frame)
    assert [(row[2], row[5]) for row in rejects(ingested)] == [
        (2, "total_minor is 'six'; it must be an integer"),
        (3, "total_minor is missing; every row needs one"),
    ]
