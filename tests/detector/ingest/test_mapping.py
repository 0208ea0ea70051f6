"""Mapping files: what they can do, what they cannot reach, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_builders import at, read, rejects, rows_of

from detector.errors import InputError
from detector.ingest import Ingested, TableCount
from detector.mapping import read_mapping

RAW = "nr,shop,client,when,price,state\n"
ORDERS = """
SELECT nr AS order_id, shop AS seller_id, client AS buyer_id, instant("when", '%d.%m.%Y %H:%M') AS created_at,
       'EUR' AS currency, minor(price, 'EUR') AS total_minor
FROM sales
"""


def mapping_file(folder: Path, **changes: str) -> Path:
    """A mapping with one source and the orders table, some parts replaced (given as TOML)."""
    parts = {
        "settings": 'timezone = "Europe/Berlin"',
        "sources": 'sales = "sales.csv"',
        "tables": f'orders = """{ORDERS}"""',
    } | changes
    path = folder / "shop.toml"
    path.write_text("\n".join(f"[{name}]\n{body}" for name, body in parts.items()))
    return path


def run(tmp_path: Path, raw: str, **changes: str) -> Ingested:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    (folder / "sales.csv").write_text(RAW + raw)
    return read(folder, mapping=mapping_file(tmp_path, **changes))


def test_mapped_rows_are_validated_like_any_other(tmp_path: Path) -> None:
    ingested = run(
        tmp_path,
        "1,s,b,01.07.2024 12:00,19.99,ok\n2,s,b,31.02.2024 12:00,5,ok\n3,s\n4,s,b,01.01.2024 12:00,1.005,ok\n"
        "5,s,b,01.01.2024 12:00,R$ 3,ok\n",
    )
    assert rows_of(ingested, "orders", "order_id", "created_at", "total_minor") == [
        ("1", at("2024-07-01T10:00"), 1999)
    ]
    assert rejects(ingested) == [
        (
            "orders",
            "shop.toml",
            2,
            "2",
            "created_at",
            "created_at is '31.02.2024 12:00'; it must be an ISO 8601 time such as 2024-05-01T13:45:00Z",
        ),
        ("orders", "shop.toml", 3, "4", "total_minor", "total_minor is 1.005; it must be an integer"),
        ("orders", "shop.toml", 4, "5", "total_minor", "total_minor is 'R$ 3'; it must be an integer"),
        ("sales", "sales.csv", 3, None, None, "the line has 2 fields; the header has 6"),
    ]
    assert ingested.counts["orders"] == TableCount(4, 1, 3, 0)
    assert ingested.counts["sales"] == TableCount(5, 4, 1, 0)
    assert [(file.table, file.path, file.rows) for file in ingested.files] == [("sales", "sales.csv", 5)]
    assert ingested.present["orders"] == {
        *("order_id", "seller_id", "buyer_id", "created_at", "currency", "total_minor"),
    }


def one_order(tmp_path: Path, created_at: str, total_minor: str, currency: str) -> Ingested:
    """One order of which two values are SQL."""
    orders = (
        f"SELECT nr AS order_id, shop AS seller_id, client AS buyer_id, {created_at} AS created_at, "
        f"'{currency}' AS currency, {total_minor} AS total_minor FROM sales"
    )
    return run(tmp_path, "1,s,b,,,\n", tables=f'orders = """{orders}"""')


@pytest.mark.parametrize(
    ("sql", "utc"),
    [
        ("'2024-07-01 12:00:00'", "2024-07-01T10:00"),
        ("'2024-07-01T12:00:00Z'", "2024-07-01T12:00"),
        ("'2024-01-01 12:00:00.5+09:00'", "2024-01-01T03:00:00.500000"),
        ("TIMESTAMP '2024-01-01 12:00:00'", "2024-01-01T11:00"),
        ("TIMESTAMPTZ '2024-01-01 12:00:00+00'", "2024-01-01T12:00"),
        ("instant('7/1/24 1:05', ['%Y-%m-%d', '%m/%d/%y %H:%M'])", "2024-06-30T23:05"),
    ],
)
def test_times_without_an_offset_are_local(tmp_path: Path, sql: str, utc: str) -> None:
    ingested = one_order(tmp_path, sql, "1", "EUR")
    assert rows_of(ingested, "orders", "created_at") == [(at(utc),)]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("'12.5'", "USD", 1250),
        ("'12'", "JPY", 12),
        ("'0.001'", "KWD", 1),
        ("58.9::DOUBLE", "BRL", 5890),
        ("CAST(0.07 AS DECIMAL(12, 2)) * 3", "BRL", 21),
        ("'123456789012.34'", "USD", 12345678901234),
        ("'1.5'", "JPY", None),
        ("'1.0001'", "KWD", None),
        ("NULL", "USD", None),
    ],
)
def test_minor_units_are_exact(tmp_path: Path, amount: str, currency: str, minor: int | None) -> None:
    ingested = one_order(tmp_path, "'2024-01-01T00:00:00Z'", f"minor({amount}, '{currency}')", currency)
    assert rows_of(ingested, "orders", "total_minor") == ([] if minor is None else [(minor,)])
    assert [row[4] for row in rejects(ingested)] == (["total_minor"] if minor is None else [])


def test_sources_of_several_files_and_parquet(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sales-1.csv").write_text(RAW + "1,s,b,01.07.2024 12:00,1,ok\n")
    (folder / "sales-2.csv").write_text("nr,shop,client,when,price,extra\n2,s,b,01.07.2024 12:00,2,x\n")
    (folder / "sales-3.csv").write_text("")
    pq.write_table(pa.table({"shop": ["s"], "land": ["DE"]}), folder / "sub/shops.parquet")
    mapping = mapping_file(
        tmp_path,
        sources='sales = "sales-*.csv"\nshops = "sub/*.parquet"',
        tables=f'orders = """{ORDERS}"""\n'
        'sellers = "SELECT shop AS seller_id, land AS country, 1 AS stars FROM shops"',
    )
    ingested = read(folder, mapping=mapping)
    assert rows_of(ingested, "orders", "order_id", "total_minor") == [("1", 100), ("2", 200)]
    assert rows_of(ingested, "sellers", "seller_id", "country") == [("s", "DE")]
    assert ingested.ignored_columns == {"sellers": ("stars",)}
    assert [(file.path, file.rows) for file in ingested.files] == [
        ("sales-1.csv", 1),
        ("sales-2.csv", 1),
        ("sales-3.csv", 0),
        ("sub/shops.parquet", 1),
    ]
    assert ingested.notes == ("sales-3.csv is empty: read as no rows of sales",)


def test_folder_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    columns = {"nr": ["1"], "shop": ["s"], "client": ["b"], "when": ["01.07.2024 12:00"], "price": ["1"]}
    pq.write_table(pa.table(columns), tmp_path / "real/sales.parquet")
    (tmp_path / "in").symlink_to(tmp_path / "real")
    ingested = read(tmp_path / "in", mapping=mapping_file(tmp_path, sources='sales = "sales.parquet"'))
    assert rows_of(ingested, "orders", "order_id", "total_minor") == [("1", 100)]


def test_history_goes_through_the_same_mapping(tmp_path: Path) -> None:
    past = tmp_path / "past"
    past.mkdir()
    (past / "sales.csv").write_text(RAW + "1,s,b,01.07.2024 12:00,1,ok\n2,s,b,01.07.2024 12:00,9,ok\n")
    day = tmp_path / "day"
    day.mkdir()
    (day / "sales.csv").write_text(RAW + "1,s,b,01.07.2024 12:00,1,ok\n2,s,b,01.07.2024 12:00,8,ok\n")
    ingested = read(day, history=past, mapping=mapping_file(tmp_path))
    assert rows_of(ingested, "orders", "order_id", "total_minor") == [("1", 100), ("2", 800)]
    assert ingested.counts["orders"] == TableCount(4, 2, 1, 1)
    assert [row[1:4] for row in rejects(ingested)] == [("past/shop.toml", 2, "2")]
    assert [file.path for file in ingested.files] == ["sales.csv", "past/sales.csv"]


def test_row_order_of_a_select_is_the_same_in_every_run(tmp_path: Path) -> None:
    raw = "".join(f"{n % 900},s,b,01.07.2024 12:00,-{n},ok\n" for n in range(5000))
    sql = ORDERS.replace("minor(price, 'EUR')", "min(price)") + " GROUP BY ALL"
    results = [rejects(run(tmp_path, raw, tables=f'orders = """{sql}"""')) for _ in range(3)]
    assert results[0] == results[1] == results[2] != []


WRONG = [
    (
        "tables",
        'orders = "SELECT 1 AS order_id"',
        "has no column seller_id, which is required; columns found: order_id",
    ),
    (
        "tables",
        'orders = "SELECT x FROM sales"',
        'table orders: Binder Error: Referenced column "x" not found',
    ),
    ("tables", 'orders = """SELECT nr\nFROM nowhere"""', "Table with name nowhere does not exist"),
    ("tables", 'orders = """SELECT nr\nFROM nowhere"""', "(line 2 of the SELECT)"),
    ("tables", 'orders = "SELEC 1"', "[tables] orders: Parser Error: syntax error"),
    (
        "tables",
        'orders = "SELECT 1; SELECT 2"',
        "[tables] orders: it must be one SELECT statement and nothing else",
    ),
    ("tables", "orders = \"COPY (SELECT 1) TO 'x.csv'\"", "[tables] orders: it must be one SELECT statement"),
    ("tables", 'order = "SELECT 1"', "[tables] order is no table of the data contract; tables: orders, "),
    ("tables", 'buyers = "SELECT 1"', "[tables] orders is missing; it is the one table that is required"),
    ("tables", "orders = ", "cannot be read: Invalid value"),
    (
        "sources",
        'sales = "../sales.csv"',
        "[sources] sales is '../sales.csv'; a source must lie in the input folder",
    ),
    ("sources", 'sales = "/etc/passwd"', "a source must lie in the input folder"),
    ("sources", '"a b" = "sales.csv"', "[sources] 'a b' cannot name a source"),
    ("sources", 'orders = "sales.csv"', "[sources] orders is a contract table; call the source otherwise"),
    ("sources", 'sales = "nothing*.csv"', "mapping shop.toml: source sales: no file nothing*.csv in "),
    ("settings", 'timezone = "Mars/Base"', "[settings.timezone] 'Mars/Base' is no time zone"),
    ("settings", 'currency = "EUR"', "[settings.currency] Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("part", "body", "message"), WRONG)
def test_wrong_mappings_are_told_what_is_wrong(tmp_path: Path, part: str, body: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(tmp_path, "1,s,b,01.07.2024 12:00,1,ok\n", **{part: body})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT content AS order_id FROM read_text('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM glob('/etc/*')",
    ],
)
def test_a_mapping_reaches_nothing_outside_the_folder(tmp_path: Path, sql: str) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("a\nb\n")
    body = sql.replace("{outside}", str(outside))
    with pytest.raises(InputError, match="Permission Error"):
        run(tmp_path, "1,s,b,01.07.2024 12:00,1,ok\n", tables=f'orders = """{body}"""')


def test_a_mapping_does_not_see_python_variables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Table with name rows does not exist"):
        run(tmp_path, "1,s,b,01.07.2024 12:00,1,ok\n", tables='orders = "SELECT * FROM rows"')


def test_mixed_sources_and_missing_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "sales.csv").write_text("")
    with pytest.raises(InputError, match=r"source sales: sales\.csv is empty"):
        read(folder, mapping=mapping_file(tmp_path))
    (folder / "sales.csv").write_text(RAW)
    pq.write_table(pa.table({"shop": ["s"]}), folder / "sales.parquet")
    with pytest.raises(InputError, match="source sales mixes CSV and Parquet; name two sources"):
        read(folder, mapping=mapping_file(tmp_path, sources='sales = "sales.*"'))
    (folder / "sales.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"mapping shop\.toml: source sales: Invalid Input Error: .*parquet"):
        read(folder, mapping=mapping_file(tmp_path, sources='sales = "sales.parquet"'))
    with pytest.raises(InputError, match="is not a folder"):
        read(tmp_path / "nowhere", mapping=mapping_file(tmp_path))
    with pytest.raises(InputError, match="cannot be read: "):
        read_mapping(tmp_path / "missing.toml")
