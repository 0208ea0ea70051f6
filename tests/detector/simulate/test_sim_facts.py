"""Money adds up, time runs forward, parcels go where their trace says."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import numpy as np
import pytest

from detector.simulate.geo import load_geo
from detector.simulate.market import END


def count(con: duckdb.DuckDBPyConnection, condition: str, table: str = "orders") -> int:
    row = con.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchall()[0]
    return int(row[0])


def test_totals(con: duckdb.DuckDBPyConnection) -> None:
    wrong = (
        "total_minor <> subtotal_minor - seller_discount_minor - platform_discount_minor + shipping_fee_minor"
    )
    assert count(con, wrong) == 0
    assert count(con, "total_minor < 0 OR refund_minor > total_minor") == 0


def test_subtotals_are_the_sums_of_lines(con: duckdb.DuckDBPyConnection) -> None:
    lines = "(SELECT order_id, sum(unit_price_minor * quantity) s FROM order_items GROUP BY 1)"
    assert count(con, "s IS DISTINCT FROM subtotal_minor", f"orders LEFT JOIN {lines} USING (order_id)") == 0


def test_lines_are_of_the_orders_seller(con: duckdb.DuckDBPyConnection) -> None:
    joined = "orders o JOIN order_items USING (order_id) JOIN products p USING (product_id)"
    assert count(con, "o.seller_id <> p.seller_id", joined) == 0


def test_prices_never_exceed_the_list(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, "unit_price_minor > list_price_minor OR unit_price_minor <= 0", "order_items") == 0


def test_currencies_without_decimals(con: duckdb.DuckDBPyConnection) -> None:
    """Dong and yen have no minor unit: a basket is some thousands, not some hundred thousands, of yen."""
    yen = con.execute("SELECT median(total_minor) FROM orders WHERE currency = 'JPY'").fetchall()[0]
    dong = con.execute(
        "SELECT median(total_minor), max(total_minor % 1000) FROM orders WHERE currency = 'VND'"
    )
    assert 500 < yen[0] < 20_000
    typical, rest = dong.fetchall()[0]
    assert 50_000 < typical < 2_000_000
    assert rest < 1000


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("created_at", "paid_at"),
        ("paid_at", "shipped_at"),
        ("shipped_at", "delivered_at"),
        ("delivered_at", "completed_at"),
        ("created_at", "cancelled_at"),
        ("paid_at", "refunded_at"),
    ],
)
def test_time_runs_forward(con: duckdb.DuckDBPyConnection, earlier: str, later: str) -> None:
    combined = "combined_group_id IS NULL"
    assert count(con, f"{later} < {earlier} AND {combined}") == 0
    assert count(con, f"{later} IS NOT NULL AND {earlier} IS NOT NULL") > 100


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("orders", "created_at"),
        ("orders", "completed_at"),
        ("orders", "refunded_at"),
        ("shipments", "created_at"),
        ("shipments", "shipped_at"),
        ("tracking_events", "event_at"),
        ("reviews", "created_at"),
        ("affiliate_clicks", "clicked_at"),
        ("reports", "created_at"),
        ("labels", "labelled_at"),
    ],
)
def test_nothing_is_known_before_its_time(con: duckdb.DuckDBPyConnection, table: str, column: str) -> None:
    assert count(con, f"{column} >= TIMESTAMPTZ '{END.isoformat()}'", table) == 0


def test_accounts_shops_and_listings_exist_when_used(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, "registered_at >= created_at", "orders JOIN buyers USING (buyer_id)") == 0
    assert count(con, "registered_at >= created_at", "orders JOIN sellers USING (seller_id)") == 0
    sold = "orders JOIN order_items USING (order_id) JOIN products USING (product_id)"
    assert count(con, "listed_at >= created_at AND line_no = '1'", sold) == 0
    assert count(con, "listed_at < registered_at", "products JOIN sellers USING (seller_id)") == 0


def test_statuses_agree_with_times(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, "status = 'COMPLETED' AND completed_at IS NULL") == 0
    assert count(con, "status = 'CANCELLED' AND cancelled_at IS NULL") == 0
    assert count(con, "status = 'UNPAID' AND paid_at IS NOT NULL") == 0
    assert count(con, "status IN ('IN_TRANSIT', 'DELIVERED') AND shipped_at IS NULL") == 0


def test_genuine_parcels_arrive_at_their_address(con: duckdb.DuckDBPyConnection) -> None:
    """Places where given: but for typing errors and moves, the last scan is in the city of the order."""
    places = """
        orders JOIN truth USING (order_id) JOIN shipments USING (order_id)
        JOIN (SELECT shipment_id, arg_max(city, event_at) place FROM tracking_events
              WHERE status = 'DELIVERED' GROUP BY 1) USING (shipment_id)
    """
    honest = f"({places})"
    wrong = count(
        con, "NOT is_fake AND place <> ship_to_city AND \"group\" IS DISTINCT FROM 'typed_errors'", honest
    )
    right = count(con, "NOT is_fake AND place = ship_to_city", honest)
    assert right > 10_000
    assert 0 < wrong < 0.008 * right
    assert count(con, "attack = 'delivered_elsewhere' AND place <> ship_to_city", honest) > 5


def test_carriers_weigh_empty_parcels_light(con: duckdb.DuckDBPyConnection) -> None:
    ratio = """
        (SELECT attack, tracking_events.weight_g / sum(p.weight_g * quantity) share
         FROM tracking_events JOIN shipments USING (shipment_id) JOIN truth USING (order_id)
         JOIN order_items USING (order_id) JOIN products p USING (product_id)
         WHERE tracking_events.weight_g IS NOT NULL GROUP BY attack, shipment_id, tracking_events.weight_g)
    """
    fake, rest = con.execute(
        "SELECT median(share) FILTER (attack = 'empty_parcels'), median(share) FILTER (attack IS NULL)"
        f" FROM {ratio}"
    ).fetchall()[0]
    assert fake < 0.5
    assert 0.8 < rest < 1.6


def test_first_mile_carrier_switch(con: duckdb.DuckDBPyConnection) -> None:
    """WS waybills leave the three cities from the switch on, picked up; old waybills stay valid."""
    switch = datetime(2023, 9, 18, 16, tzinfo=UTC).isoformat()
    made = "tracking_number LIKE 'WS%'"
    assert count(con, made, "shipments") > 50
    assert count(con, f"{made} AND handover <> 'PICK_UP'", "shipments") == 0
    assert count(con, f"{made} AND created_at < TIMESTAMPTZ '{switch}'", "shipments") == 0
    cities = "ship_from_city NOT IN ('Dongguan', 'Shenzhen', 'Guangzhou')"
    own = "shipments JOIN truth USING (order_id)"
    assert count(con, f"{made} AND {cities} AND NOT is_fake", own) == 0
    old = f"ship_from_city = 'Shenzhen' AND NOT ({made}) AND created_at > TIMESTAMPTZ '{switch}'"
    assert count(con, old, "shipments") > 20


def test_clicks_come_before_most_credited_orders(con: duckdb.DuckDBPyConnection) -> None:
    led = con.execute("""
        SELECT avg((EXISTS (FROM affiliate_clicks c WHERE c.buyer_id = o.buyer_id AND c.product_id IN
            (SELECT product_id FROM order_items i WHERE i.order_id = o.order_id)
            AND c.creator_id = o.creator_id AND c.clicked_at < o.created_at))::INT)
        FROM orders o WHERE o.creator_id IS NOT NULL
    """).fetchall()[0]
    assert 0.7 < led[0] < 0.97


def test_reviews_come_in_many_languages_and_short_ones_repeat(con: duckdb.DuckDBPyConnection) -> None:
    texts = con.execute(
        "SELECT text, count(*) FROM reviews WHERE text IS NOT NULL GROUP BY 1 ORDER BY 2 DESC"
    ).fetchall()
    seen = {text for text, _ in texts}
    assert {"很好", "bagus", "ดี", "good", "gut", "bien"} <= seen
    assert texts[0][1] > 50
    assert count(con, "text IS NULL", "reviews") > 500
    assert not any("{" in text for text in seen)


def test_masked_values(con: duckdb.DuckDBPyConnection) -> None:
    masked = count(con, "ship_to_address = '***'")
    assert 0.01 < masked / 60_000 < 0.2


def test_genuine_parcels_travel_at_possible_speeds(con: duckdb.DuckDBPyConnection) -> None:
    """Between two scans in different cities no genuine parcel outruns an aircraft."""
    geo = load_geo(11)
    place = {(geo.countries[geo.city_country[i]], city): i for i, city in enumerate(geo.cities)}
    legs = con.execute("""
        SELECT country, city, lead(country) OVER w, lead(city) OVER w,
            epoch(lead(event_at) OVER w - event_at) / 3600 AS hours
        FROM tracking_events JOIN shipments USING (shipment_id) JOIN truth USING (order_id)
        WHERE city IS NOT NULL AND NOT is_fake WINDOW w AS (PARTITION BY shipment_id ORDER BY event_at)
    """).fetchall()
    moved = [(place[a, b], place[c, d], h) for a, b, c, d, h in legs if d is not None and b != d]
    start, stop, hours = (np.array(column) for column in zip(*moved, strict=True))
    speed = geo.distance_km(start, stop) / np.maximum(hours.astype(float), 1e-6)
    assert len(speed) > 5_000
    assert np.mean(speed > 900) < 0.001
