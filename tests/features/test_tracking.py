"""The tracking family on small markets: every signal, and the innocent who looks alike."""

from __future__ import annotations

from datetime import UTC

import pytest
from builders import AS_OF, at, by_order
from parcel_market import CITIES, TRACE, Market, ordinary_market

from features.tracking import FEATURES, compute

NAMES = [feature.name for feature in FEATURES]
SURPRISES = [name for name in NAMES if name.endswith("_surprise")]


def value(found: dict[str, dict[str, float | None]], order_id: str, name: str) -> float:
    """A feature that must be known."""
    known = found[order_id][name]
    assert known is not None
    return known


def test_an_ordinary_market_surprises_nobody() -> None:
    found = ordinary_market().features()
    for row in found.values():
        assert row["number_invalid"] == row["carrier_mismatch"] == row["number_reuse_orders"] == 0
        assert row["destination_gap"] == row["pickup_scan_gap"] == row["warehouse_gap"] == 0
        assert row["signed_by_other"] == row["scan_before_order_hours"] == row["label_only_days"] == 0
        assert max(row[name] or 0 for name in SURPRISES) < 0.7


def test_the_table_has_every_order_and_exactly_the_features() -> None:
    market = ordinary_market()
    con = market.connect()
    before = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    compute(con, AS_OF)
    columns = con.execute("SELECT column_name, column_type FROM (DESCRIBE f_tracking)").fetchall()
    assert dict(columns) == {"o": "INTEGER"} | dict.fromkeys(NAMES, "DOUBLE")
    assert con.execute("SELECT count(*), count(DISTINCT o) FROM f_tracking").fetchall() == [
        (len(market.orders),) * 2
    ]
    after = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert after - before == {"f_tracking", "order_point", "order_number"}
    assert con.execute("SELECT count(*) FROM duckdb_views() WHERE view_name LIKE 'tk_%'").fetchall() == [(0,)]


def test_without_the_tables_nothing_is_known() -> None:
    con = Market(orders=ordinary_market().orders).connect(sellers=[], products=[])
    compute(con, AS_OF)
    assert all(known is None for row in by_order(con, "f_tracking").values() for known in row.values())


def test_rows_in_another_order_give_the_same() -> None:
    market = ordinary_market()
    market.add("split", trace=[("PICKED_UP", 40)])
    market.ship(market.orders[-1], list(TRACE), {}, {}, {})
    first, second = market.connect(), market.connect()
    for table in ("shipments", "tracking_events", "order_items", "products", "sellers"):
        second.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} ORDER BY hash({table})")
    for con in (first, second):
        compute(con, AS_OF)
    assert by_order(first, "f_tracking") == by_order(second, "f_tracking")


def test_a_number_the_declared_carrier_cannot_have_issued() -> None:
    market = ordinary_market()
    market.add("bad", parcel={"tracking_number": "1Z5R89390357567128"})
    market.add("junk", parcel={"tracking_number": "12345"})
    market.add("unknown", parcel={"tracking_number": "12345", "carrier": "Ann's Vans"})
    found = market.features()
    assert found["bad"]["number_invalid"] == found["junk"]["number_invalid"] == 1
    assert value(found, "bad", "number_invalid_surprise") > 1.5
    assert found["unknown"]["number_invalid"] is None
    assert found["unknown"]["number_invalid_surprise"] is None


def test_a_pattern_that_a_whole_market_breaks_is_a_wrong_pattern() -> None:
    market = ordinary_market()
    for number, shipment in enumerate(market.shipments):
        shipment["tracking_number"] = f"UPS{number:09d}"
    found = market.features()
    assert value(found, "n001", "number_invalid") == 1
    assert value(found, "n001", "number_invalid_surprise") < 0.3


def test_a_number_that_only_another_carrier_issues() -> None:
    market = ordinary_market()
    market.add("foreign", parcel={"tracking_number": "TBA502887274000"})
    market.add(
        "switch",
        parcel={"carrier": "Wise Express", "tracking_number": "WS1234567", "ship_from_city": "Beijing"},
    )
    found = market.features()
    assert found["foreign"]["carrier_mismatch"] == found["switch"]["carrier_mismatch"] == 1


def reused(**second: object) -> dict[str, dict[str, float | None]]:
    """Two orders of different buyers in different cities with one number."""
    market = ordinary_market()
    number = {"tracking_number": "1Z5R89390357567127"}
    market.add("first", ship_to_city="Austin", parcel=number)
    market.add("second", **({"ship_to_city": "Boston", "created_at": at(days=9), "parcel": number} | second))
    return market.features()


def test_a_number_on_two_orders_is_held_against_the_one_it_does_not_fit() -> None:
    found = reused(handed={"city": "Austin", "region": "TX", "postcode": "78701"})
    assert found["second"]["number_reuse_orders"] == 1
    assert found["first"]["number_reuse_orders"] == 0


@pytest.mark.parametrize(
    "second",
    [
        {"buyer_id": "b-first"},
        {"ship_to_city": "Austin", "ship_to_address": "first MAIN STREET"},
        {"created_at": at(days=130)},
        {"is_replacement": True},
    ],
)
def test_innocent_second_uses_of_a_number(second: dict[str, object]) -> None:
    found = reused(**second)
    assert not found["second"]["number_reuse_orders"]
    assert not found["first"]["number_reuse_orders"]


def test_orders_combined_in_one_parcel_share_a_number() -> None:
    market = ordinary_market()
    for name in ("first", "second"):
        market.add(name, combined_group_id="g", parcel={"tracking_number": "1Z5R89390357567127"})
    found = market.features()
    assert found["first"]["number_reuse_orders"] == found["second"]["number_reuse_orders"] == 0


def test_number_keys_name_the_lives_of_a_number() -> None:
    market = ordinary_market()
    number = {
        "tracking_number": "1Z 5R89 3903 5756 7127",
        "last_mile_tracking_number": "9405803699300124287899",
    }
    market.add("early", parcel=number)
    market.add("late", parcel=number, created_at=at(days=200))
    market.add("placeholder", parcel={"tracking_number": "N/A"})
    con = market.connect()
    compute(con, AS_OF)
    keys = con.execute("""
        SELECT order_id, list(number_key ORDER BY number_key) FROM order_number JOIN orders USING (o)
        WHERE order_id IN ('early', 'late', 'placeholder') GROUP BY order_id
    """).fetchall()
    assert dict(keys) == {
        "early": ["1Z5R89390357567127", "9405803699300124287899"],
        "late": ["1Z5R89390357567127#1", "9405803699300124287899#1"],
    }


def test_a_scan_before_the_order() -> None:
    market = ordinary_market()
    market.add("old", trace=[("PICKED_UP", -60), ("IN_TRANSIT", -40), ("IN_TRANSIT", -20), ("DELIVERED", -2)])
    market.add("recycled", trace=[(status, hours - 150 * 24) for status, hours in TRACE] + list(TRACE))
    found = market.features()
    assert value(found, "old", "scan_before_order_hours") > 59
    assert value(found, "old", "early_scan_surprise") > 1.5
    assert found["recycled"]["scan_before_order_hours"] == 0


def test_a_feed_in_local_time_surprises_nobody() -> None:
    market = ordinary_market()
    for number in range(60):
        market.add(
            f"skewed{number}", seller_id=f"s{number % 20}", parcel={"carrier": "Flash Express", "tracking_number": None},
            trace=[("PICKED_UP", -5), ("IN_TRANSIT", 20), ("IN_TRANSIT", 40), ("DELIVERED", 60)],
        )  # fmt: skip
    found = market.features()
    assert value(found, "skewed1", "scan_before_order_hours") > 4
    assert value(found, "skewed1", "early_scan_surprise") < 0.3


def test_a_label_that_was_never_scanned() -> None:
    market = ordinary_market()
    market.add("paper", trace=[("LABEL_CREATED", 20)])
    market.add("disowned", trace=[("NOT_FOUND", 20), ("EXPIRED", 900)])
    market.add("cancelled", trace=[("LABEL_CREATED", 20)], status="CANCELLED")
    market.add("sample", trace=[("LABEL_CREATED", 20)], is_sample=True)
    found = market.features(as_of=at(days=30))
    assert value(found, "paper", "label_only_days") == pytest.approx(29, abs=0.5)
    assert min(value(found, name, "unscanned_surprise") for name in ("paper", "disowned")) > 1.2
    assert value(found, "paper", "unconfirmed_surprise") > 1.2
    assert (found["paper"]["number_disowned"], found["disowned"]["number_disowned"]) == (None, 1)
    assert found["cancelled"]["unscanned_surprise"] is None
    assert found["sample"]["unscanned_surprise"] is None


def test_an_outage_is_seen_from_the_carriers_other_parcels() -> None:
    market = ordinary_market()
    for number in range(20):
        market.add(
            f"out{number}", seller_id=f"s{number}", created_at=at(days=30), trace=[("LABEL_CREATED", 20)]
        )
    market.add("paper", created_at=at(days=2), trace=[("LABEL_CREATED", 20)])
    found = market.features()
    assert value(found, "out3", "unscanned_surprise") < 0.3
    assert value(found, "paper", "unscanned_surprise") > 3 * value(found, "out3", "unscanned_surprise")


def test_a_second_label_that_was_never_used_is_not_held_against_a_delivered_order() -> None:
    market = ordinary_market()
    market.add("reprinted")
    market.ship(market.orders[-1], [("LABEL_CREATED", 10)], {}, {}, {})
    found = market.features()
    assert found["reprinted"]["label_only_days"] == 0
    assert found["reprinted"]["unscanned_surprise"] == 0


def test_delivered_without_any_shipment() -> None:
    market = ordinary_market()
    market.add("nothing", shipped=False)
    market.add("combined", shipped=False, combined_group_id="g")
    found = market.features()
    assert value(found, "nothing", "no_shipment_surprise") > 1.5
    assert found["combined"]["no_shipment_surprise"] is None


def test_delivered_elsewhere() -> None:
    market = ordinary_market()
    market.add(
        "elsewhere", ship_to_city="Austin", handed={"city": "Miami", "region": "FL", "postcode": "33101"}
    )
    market.add("typo", ship_to_city="Bostn", ship_to_region="MA", ship_to_postcode="02180",
               handed={"city": "Boston", "region": "Massachusetts", "postcode": "02108"})  # fmt: skip
    market.add("corner", ship_to_city="Austin", handed={"postcode": "78945"})
    market.add(
        "masked", ship_to_city="***", ship_to_region="***", ship_to_postcode="***", handed={"city": "Miami"}
    )
    market.add("placeless", scan={"region": None, "city": None, "postcode": None, "country": None})
    market.add("locker", ship_to_city="Austin", trace=[*TRACE[:3], ("AVAILABLE_FOR_PICKUP", 80), TRACE[3]],
               handed={"city": "Dallas", "postcode": "75201"})  # fmt: skip
    found = market.features()
    gaps = {
        name: found[name]["destination_gap"]
        for name in ("elsewhere", "typo", "corner", "masked", "placeless")
    }
    assert gaps == {"elsewhere": 3, "typo": 0, "corner": 1, "masked": None, "placeless": None}
    assert value(found, "elsewhere", "destination_surprise") > 1.5
    assert found["locker"]["destination_surprise"] == 0


def test_first_scanned_far_from_the_stated_origin() -> None:
    market = ordinary_market()
    market.add(
        "moved", parcel={"ship_from_region": "FL", "ship_from_city": "Miami", "ship_from_postcode": "33101"}
    )
    found = market.features()
    assert found["moved"]["pickup_scan_gap"] == found["moved"]["warehouse_gap"] == 3
    assert value(found, "moved", "pickup_scan_surprise") > 1.5


def test_one_stranger_signs_at_many_addresses() -> None:
    market = ordinary_market()
    for number, city in enumerate(CITIES):
        market.add(f"mill{number}", seller_id="s900", ship_to_city=city, handed={"signed_by": "Victor Quill"})
        market.add(f"desk{number}", seller_id="s901", ship_to_city=city, handed={"signed_by": "Front desk"})
    found = market.features()
    assert found["mill1"]["signed_by_other"] == 1
    assert value(found, "mill1", "signatory_surprise") > 1.5
    assert found["desk1"]["signed_by_other"] == found["desk1"]["signatory_surprise"] == 0


def test_an_empty_parcel_is_light_and_a_wrong_catalogue_is_not() -> None:
    market = ordinary_market()
    market.add("empty", seller_id="s1", scan={"weight_g": 20})
    market.add("sample", seller_id="s1", scan={"weight_g": 20}, is_sample=True)
    for number in range(8):
        market.add(f"wrong{number}", seller_id="s900", scan={"weight_g": 100 + number})
    found = market.features()
    assert value(found, "empty", "measured_weight_ratio") == pytest.approx(0.04)
    assert value(found, "empty", "light_parcel_surprise") > 1.5
    assert value(found, "wrong3", "measured_weight_ratio") < 0.25
    assert value(found, "wrong3", "light_parcel_surprise") < value(found, "empty", "light_parcel_surprise")
    assert found["sample"]["measured_weight_ratio"] is None


def test_a_parcel_mill_is_a_side_door_and_a_warehouse_is_not() -> None:
    market = ordinary_market()
    mill = {"ship_from_postcode": "99999", "ship_from_region": "NV", "ship_from_city": "Reno"}
    hall = {"ship_from_postcode": "88888", "ship_from_region": "CA", "ship_from_city": "Fresno"}
    for seller in range(8):
        market.add(f"mill{seller}", seller_id=f"s{seller}", parcel=mill, scan={"weight_g": 15})
        for number in range(3):
            market.add(f"hall{seller}-{number}", seller_id=f"s90{seller}", parcel=hall)
    found = market.features()
    assert value(found, "mill3", "point_seller_share") < 0.2
    assert value(found, "mill3", "point_side_share") > 0.4
    assert value(found, "mill3", "point_light_share") > 0.4
    assert found["hall3-1"]["point_seller_share"] == 1
    assert found["hall3-1"]["point_side_share"] == found["hall3-1"]["point_light_share"] == 0


def test_points_are_postcodes_of_the_pick_up_or_the_origin() -> None:
    market = ordinary_market()
    market.add("scanned", scan={"postcode": "12 345"})
    market.add("stated", parcel={"ship_from_postcode": "54321"})
    market.add("unknown", parcel={"ship_from_postcode": None})
    con = market.connect()
    compute(con, AS_OF)
    points = dict(con.execute("SELECT order_id, point_id FROM order_point JOIN orders USING (o)").fetchall())
    assert (points["scanned"], points["stated"]) == ("US 12345", "US 54321")
    assert "unknown" not in points


def test_copied_traces_and_deliveries_in_one_minute() -> None:
    market = ordinary_market()
    for number, city in enumerate(CITIES):
        market.add(f"copy{number}", seller_id="s900", ship_to_city=city, created_at=at(days=number))
        market.add(f"mass{number}", seller_id="s901", ship_to_city=city, created_at=at(days=1))
    copies = [row for row in market.events if "-copy" in row["shipment_id"]]
    for row, (day, step) in zip(copies, [(d, s) for d in range(4) for s in range(4)], strict=True):
        row["event_at"] = at(days=day, hours=30, minutes=day * 7, seconds=step * step * 9001)
    for row in market.events:
        if "-mass" in row["shipment_id"] and row["status"] == "DELIVERED":
            row["event_at"] = at(days=5, hours=3, seconds=int(row["shipment_id"][-1]))
    found = market.features()
    assert value(found, "copy2", "trace_twin_surprise") > 1.5
    assert value(found, "mass2", "delivered_together_surprise") > 1.5
    assert found["n001"]["trace_twin_surprise"] == found["n001"]["delivered_together_surprise"] == 0


def test_a_bare_and_hasty_trace() -> None:
    market = ordinary_market()
    bare = [("PICKED_UP", 21.0), ("DELIVERED", 23.0)]
    market.add("bare", trace=bare)
    market.add("near", trace=bare, ship_to_city="Seattle", ship_to_region="WA")
    found = market.features()
    assert value(found, "bare", "few_scans_surprise") > 1.2
    assert value(found, "bare", "fast_transit_surprise") > 1.2
    assert found["near"]["few_scans_surprise"] == found["near"]["fast_transit_surprise"] == 0


def test_accepted_late() -> None:
    market = ordinary_market()
    market.add("late", trace=[(status, hours + 12 * 24) for status, hours in TRACE])
    found = market.features()
    assert value(found, "late", "acceptance_days") > 12
    assert value(found, "late", "late_acceptance_surprise") > 1.2


def test_consecutive_numbers_on_labels_of_different_days() -> None:
    market = ordinary_market()
    for number in range(5):
        block = {"tracking_number": f"YT22295212721644{number:02d}", "carrier": "YunExpress"}
        market.add(f"roll{number}", seller_id="s900", created_at=at(days=3 * number), parcel=block)
        market.add(
            f"batch{number}",
            seller_id="s901",
            parcel=block | {"tracking_number": f"YT33395212721644{number:02d}"},
        )
        other = {"tracking_number": f"YT{4439521272164000 + 7919 * number}", "carrier": "YunExpress"}
        for seller in ("s900", "s901"):
            market.add(f"other{seller}{number}", seller_id=seller, parcel=other)
    found = market.features()
    assert value(found, "roll2", "number_block_surprise") > value(found, "batch2", "number_block_surprise")
    assert found["batch2"]["number_block_surprise"] == found["others9002"]["number_block_surprise"] == 0


def test_naive_and_aware_times_of_looking_are_the_same() -> None:
    market = ordinary_market()
    market.add("paper", trace=[("LABEL_CREATED", 20)])
    one = market.features(as_of=at(days=30))
    assert one == market.features(as_of=at(days=30).replace(tzinfo=UTC))
