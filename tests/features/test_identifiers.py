"""Two spellings of one identifier are equal, two identifiers are not, and what is masked is not known."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from builders import a_market, an_identifier, an_order

from detector.contract import IDENTIFIER_KINDS
from features.identifiers import KIND_STRENGTH, create_links, create_macros


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        create_macros(connection)
        yield connection


def key(con: duckdb.DuckDBPyConnection, macro: str, *values: str | None) -> str | None:
    marks = ", ".join("?" for _ in values)
    found: str | None = con.execute(f"SELECT {macro}({marks})", list(values)).fetchall()[0][0]
    return found


@pytest.mark.parametrize(
    ("macro", "spellings"),
    [
        ("phone_key", ["+49 (0)30 1234567", "0049-30-1234567", "030/1234567", "0301234567"]),
        ("phone_key", ["+86 138 0013 8000", "13800138000", "(86)13800138000"]),
        ("email_key", ["J.Doe+shop@Mail.com", " jdoe@mail.com", "JDOE@MAIL.COM", "j.d.o.e+2@mail.com"]),
        ("email_key", ["Jörg@example.de", "jorg@example.de", "JÖRG@EXAMPLE.DE"]),
        ("email_key", ["用户@例子.公司", " 用户@例子.公司 "]),
        ("plain", ["Straße-Ünit", " straße-unit "]),
        ("plain", ["МОСКВА", "москва"]),
        ("plain", ["Αθήνα", "ΑΘΗΝΑ"]),
    ],
)
def test_spellings_of_one_value_are_equal(
    con: duckdb.DuckDBPyConnection, macro: str, spellings: list[str]
) -> None:
    keys = {key(con, macro, spelling) for spelling in spellings}
    assert len(keys) == 1
    assert None not in keys


@pytest.mark.parametrize(
    "spellings",
    [
        [
            ("Flat 3, 12 High Street", "SW1A 1AA"),
            ("12 High Street, Flat 3", "sw1a 1aa"),
            ("12 HIGH ST  FLAT 3 SW1A 1AA", None),
        ],
        [
            ("上海市浦东新区世纪大道100号5栋301室", "200120"),
            ("上海市 浦东新区 世纪大道100号 5栋 301室", "200120"),
            ("浦东新区世纪大道100号5栋301室 200120", None),
        ],
        [("ул. Ленина 5, кв 12", "101000"), ("УЛ. ЛЕНИНА 5, КВ 12 ", "101000")],
        [("Königstraße 7", "70173"), ("KÖNIGSTRASSE 7", "70173"), ("Konigstrasse 7, 70173", None)],
        [("Jalan Sudirman 5 Blok B2", "12190"), ("Sudirman 5, blok B2", "12190")],
        [("Calle Álvaro Obregón 12 Int 4", "06700"), ("Alvaro Obregon 12, int. 4", "06700")],
    ],
)
def test_spellings_of_one_address_are_equal(
    con: duckdb.DuckDBPyConnection, spellings: list[tuple[str, str | None]]
) -> None:
    keys = {key(con, "address_key", *spelling) for spelling in spellings}
    assert len(keys) == 1
    assert None not in keys


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("Flat 3, 12 High Street", "SW1A 1AA"), ("Flat 4, 12 High Street", "SW1A 1AA")),
        (("12 High Street", "SW1A 1AA"), ("12 High Street", "SW1A 2AA")),
        (("12 High Street", "SW1A 1AA"), ("12 Mill Lane", "SW1A 1AA")),
        (("世纪大道100号5栋301室", "200120"), ("世纪大道100号5栋302室", "200120")),
        (("ул. Ленина 5", "101000"), ("ул. Ленина 6", "101000")),
    ],
)
def test_addresses_apart_stay_apart(
    con: duckdb.DuckDBPyConnection, left: tuple[str, str], right: tuple[str, str]
) -> None:
    assert key(con, "address_key", *left) != key(con, "address_key", *right)


@pytest.mark.parametrize(
    ("macro", "value"),
    [
        ("known", None),
        ("known", "   "),
        ("known", "138****8000"),
        ("plain", "J*** D***"),
        ("phone_key", "12345"),
        ("phone_key", "138***8000"),
        ("phone_key", "no phone"),
        ("email_key", "nobody"),
        ("email_key", "@example.com"),
        ("email_key", "someone@"),
        ("email_key", "j***@example.com"),
    ],
)
def test_what_is_masked_or_no_value_is_not_known(
    con: duckdb.DuckDBPyConnection, macro: str, value: str | None
) -> None:
    assert key(con, macro, value) is None


@pytest.mark.parametrize("address", [None, "", "somewhere", "12 H*** Street", "***"])
def test_an_address_without_a_number_or_masked_is_not_known(
    con: duckdb.DuckDBPyConnection, address: str | None
) -> None:
    assert key(con, "address_key", address, "12345") is None


def test_a_masked_postcode_does_not_void_the_address(con: duckdb.DuckDBPyConnection) -> None:
    assert key(con, "address_key", "12 High Street", "***") == key(con, "address_key", "12 High Street", None)


def links(*rows: dict[str, str], **order: str) -> set[tuple[str, str, str]]:
    """(account kind, account id, identifier kind) of every link."""
    con = a_market([an_order(**order)], account_identifiers=rows).con
    create_macros(con)
    create_links(con)
    return set(
        con.execute(
            "SELECT a.account_kind, account_id, kind FROM identifier_links JOIN accounts a USING (account)"
        ).fetchall()
    )


def test_orders_and_account_identifiers_both_link() -> None:
    found = links(
        an_identifier("document", "X1", account_id="s1", account_kind="seller"),
        device_id="D1",
        ip_address="10.0.0.1",
        payment_id="P1",
        recipient_phone="+49 30 1234567",
        ship_to_address="12 High Street",
        ship_to_postcode="SW1",
    )
    kinds = {"device", "ip", "payment", "phone", "address"}
    assert found == {("buyer", "b1", kind) for kind in kinds} | {("seller", "s1", "document")}


@pytest.mark.parametrize(
    ("kind", "value", "order"),
    [
        ("phone", "030 1234567", {"recipient_phone": "+49 (0)30 1234567"}),
        ("device", "abc", {"device_id": "abc"}),
        (
            "address",
            "12 High St, SW1A 1AA",
            {"ship_to_address": "12 HIGH STREET", "ship_to_postcode": "sw1a 1aa"},
        ),
        ("payment", "card-1", {"payment_id": "card-1"}),
    ],
)
def test_an_account_s_identifier_equals_the_order_s(kind: str, value: str, order: dict[str, str]) -> None:
    con = a_market([an_order(**order)], account_identifiers=[an_identifier(kind, value, "s1", "seller")]).con
    create_macros(con)
    create_links(con)
    found = con.execute(
        "SELECT identifier, count(DISTINCT is_buyer) FROM identifier_links WHERE kind = ? GROUP BY ALL",
        [kind],
    ).fetchall()
    assert [users for _, users in found] == [2]


def test_one_value_of_two_kinds_is_two_identifiers() -> None:
    con = a_market([an_order(device_id="same", payment_id="same")]).con
    create_macros(con)
    create_links(con)
    assert con.execute("SELECT count(DISTINCT identifier) FROM identifier_links").fetchall() == [(2,)]


def test_every_identifier_kind_of_the_contract_has_a_strength() -> None:
    assert set(KIND_STRENGTH) == set(IDENTIFIER_KINDS)
    assert all(0 < strength <= 1 for strength in KIND_STRENGTH.values())
