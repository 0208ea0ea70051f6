"""Who is fake and who only looks like it: shares, sizes, variety."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest

from detector.contract import CLAUSES
from detector.simulate.attacks.registry import ATTACKS, CLAUSE_OF
from detector.simulate.market import Market
from detector.simulate.staging import GROUPS

ISSUE_GROUPS = {
    "families",
    "dormitories",
    "offices",
    "forwarders",
    "corporate_gifts",
    "resellers",
    "subscriptions",
    "fan_communities",
    "live_bursts",
    "viral_products",
    "voucher_days",
    "staff_purchase",
    "threepl_warehouses",
    "drop_shippers",
    "carrier_outage",
    "recycled_numbers",
    "combined_parcels",
    "replacements",
    "samples",
    "same_city",
    "typed_errors",
    "brushed_victims",
}


def test_number_of_orders_and_fake_share(market: Market) -> None:
    fakes = sum(market.truth["orders"]["is_fake"].to_pylist())
    assert market.tables["orders"].num_rows == 60_000
    assert fakes == 1_200


def test_every_look_alike_group_has_a_hundred_orders(market: Market) -> None:
    sizes = Counter(market.truth["orders"]["group"].to_pylist())
    assert set(GROUPS) == ISSUE_GROUPS
    assert {name: sizes[name] for name in ISSUE_GROUPS if sizes[name] < 100} == {}


def test_look_alikes_are_genuine(con: duckdb.DuckDBPyConnection) -> None:
    wrong = con.execute('SELECT count(*) FROM truth WHERE is_fake AND "group" IS NOT NULL').fetchall()[0]
    assert wrong == (0,)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_every_attack_is_staged(market: Market, name: str) -> None:
    assert Counter(market.truth["orders"]["attack"].to_pylist())[name] >= 25


def test_attacks_cover_all_clauses(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        "SELECT DISTINCT attack, clause, is_fake FROM truth WHERE attack IS NOT NULL"
    ).fetchall()
    assert {clause for _, clause, _ in rows} == set(CLAUSES)
    assert all(fake and CLAUSE_OF[attack] == clause for attack, clause, fake in rows)
    rest = con.execute("SELECT count(*) FROM truth WHERE attack IS NULL AND (is_fake OR clause IS NOT NULL)")
    assert rest.fetchall()[0] == (0,)


def test_guilty_sellers_have_genuine_customers_too(con: duckdb.DuckDBPyConnection) -> None:
    shares = con.execute("""
        SELECT avg(is_fake::INT) FROM orders JOIN truth USING (order_id)
        WHERE seller_id IN (SELECT seller_id FROM truth_sellers WHERE is_guilty) GROUP BY seller_id
    """).fetchall()
    values = sorted(share for (share,) in shares)
    assert len(values) >= 40
    assert values[0] < 0.2
    assert values[len(values) * 9 // 10] <= 0.85
    assert values[len(values) // 2] > 0.2


def test_innocent_sellers_have_fakes_only_as_victims(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute("""
        SELECT role, count(DISTINCT seller_id), bool_and(attack = 'competitor_brushing')
        FROM orders JOIN truth USING (order_id) JOIN truth_sellers USING (seller_id)
        WHERE is_fake AND NOT is_guilty GROUP BY role
    """).fetchall()
    assert len(rows) == 1
    role, sellers, all_brushing = rows[0]
    assert (role, all_brushing) == ("victim", True)
    assert sellers >= 1


def test_sizes_have_heavy_tails(con: duckdb.DuckDBPyConnection) -> None:
    sellers = con.execute("SELECT count(*) FROM sellers").fetchall()[0][0]
    per_buyer = "SELECT count(*) n FROM orders GROUP BY buyer_id"
    accounts, busiest = con.execute(f"SELECT count(*), max(n) FROM ({per_buyer})").fetchall()[0]
    per_seller = "SELECT count(*) n FROM orders GROUP BY seller_id"
    median, top = con.execute(f"SELECT median(n), max(n) FROM ({per_seller})").fetchall()[0]
    assert sellers >= 1_500
    assert 0.58 * 60_000 < accounts < 0.72 * 60_000
    assert busiest >= 15
    assert top > 20 * median


def test_gateways_serve_hundreds_and_homes_a_few(con: duckdb.DuckDBPyConnection) -> None:
    busiest, typical = con.execute("""
        SELECT max(n), median(n) FROM (SELECT count(DISTINCT buyer_id) n FROM orders GROUP BY ip_address)
    """).fetchall()[0]
    assert busiest >= 100
    assert typical <= 2
