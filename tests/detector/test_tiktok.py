"""The TikTok Shop importer, from JSON to tables that ingest accepts."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from detector.cli import app
from detector.errors import InputError
from detector.ingest import ingest
from detector.tiktok import import_tiktok_orders

UNIT = {
    "id": "577001",
    "sku_id": "k1",
    "product_id": "p1",
    "original_price": "25.00",
    "sale_price": "19.99",
    "tracking_number": "9400111899223197428490",
    "shipping_provider_name": "USPS",
    "package_id": "1153",
}
ORDER: dict[str, Any] = {
    "id": "576461413038785752",
    "user_id": "7021436810468230477",
    "status": "DELIVERED",
    "create_time": 1714557600,
    "paid_time": 1714557660,
    "rts_time": 1714561200,
    "collection_time": 1714564800,
    "delivery_time": 1714651200,
    "cancel_time": 0,
    "payment": {
        "currency": "USD",
        "total_amount": "42.98",
        "sub_total": "39.98",
        "seller_discount": "0",
        "platform_discount": "1.5",
        "shipping_fee": "3.00",
        "tax": "0",
    },
    "recipient_address": {
        "region_code": "US",
        "postal_code": "90210",
        "district_info": [
            {"address_level": "L0", "address_name": "United States"},
            {"address_level": "L1", "address_name": "California"},
            {"address_level": "L2", "address_name": "Los Angeles County"},
            {"address_level": "L3", "address_name": "Beverly Hills"},
        ],
        "full_address": "California, Los Angeles County, Beverly Hills, 1 Main St",
        "name": "A** L**",
        "phone_number": "(+1)310***11",
    },
    "line_items": [UNIT, UNIT | {"id": "577002"}],
    "tracking_number": "9400111899223197428490",
    "shipping_provider": "USPS",
    "is_sample_order": False,
    "is_replacement_order": True,
    "is_exchange_order": False,
    "auto_combine_group_id": "",
    "fulfillment_type": "FULFILLMENT_BY_SELLER",
}


def an_order(**changes: Any) -> dict[str, Any]:
    return deepcopy(ORDER) | changes


def import_orders(folder: Path, *orders: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Import the orders as one page; return the rows written per table."""
    page = folder / "page.json"
    page.write_text(json.dumps({"code": 0, "message": "Success", "data": {"orders": list(orders)}}))
    import_tiktok_orders([page], folder / "out", seller_id="shop-9")
    return {path.stem: pq.read_table(path).to_pylist() for path in (folder / "out").iterdir()}


def test_an_order_becomes_contract_rows(tmp_path: Path) -> None:
    tables = import_orders(tmp_path, an_order())
    (order,) = tables["orders"]
    times = {name: order.pop(name) for name in list(order) if name.endswith("_at")}
    assert {name: time and time.isoformat() for name, time in times.items()} == {
        "created_at": "2024-05-01T10:00:00+00:00",
        "paid_at": "2024-05-01T10:01:00+00:00",
        "shipped_at": "2024-05-01T12:00:00+00:00",
        "delivered_at": "2024-05-02T12:00:00+00:00",
        "cancelled_at": None,
    }
    assert order == {
        "order_id": "576461413038785752",
        "seller_id": "shop-9",
        "buyer_id": "7021436810468230477",
        "currency": "USD",
        "total_minor": 4298,
        "status": "DELIVERED",
        "subtotal_minor": 3998,
        "seller_discount_minor": 0,
        "platform_discount_minor": 150,
        "shipping_fee_minor": 300,
        "recipient_name": "A** L**",
        "recipient_phone": "(+1)310***11",
        "ship_to_country": "US",
        "ship_to_region": "California",
        "ship_to_city": "Beverly Hills",
        "ship_to_postcode": "90210",
        "ship_to_address": "California, Los Angeles County, Beverly Hills, 1 Main St",
        "is_sample": False,
        "is_replacement": True,
        "is_exchange": False,
        "combined_group_id": None,
    }
    assert tables["order_items"] == [
        {
            "order_id": "576461413038785752",
            "line_no": "1",
            "product_id": "p1",
            "sku_id": "k1",
            "quantity": 2,
            "unit_price_minor": 1999,
            "list_price_minor": 2500,
        }
    ]
    (shipment,) = tables["shipments"]
    assert shipment["shipment_id"] == "576461413038785752:1153"
    assert (shipment["carrier"], shipment["tracking_number"]) == ("USPS", "9400111899223197428490")
    assert (shipment["created_at"].hour, shipment["shipped_at"].hour) == (11, 12)


def test_units_of_other_price_or_variant_are_lines_of_their_own(tmp_path: Path) -> None:
    units = [UNIT, UNIT | {"sale_price": "0.00"}, UNIT | {"sku_id": "k2"}, UNIT]
    items = import_orders(tmp_path, an_order(line_items=units))["order_items"]
    assert [
        (item["line_no"], item["sku_id"], item["quantity"], item["unit_price_minor"]) for item in items
    ] == [
        ("1", "k1", 2, 1999),
        ("2", "k1", 1, 0),
        ("3", "k2", 1, 1999),
    ]


def test_packages_become_shipments(tmp_path: Path) -> None:
    split = an_order(id="1", line_items=[UNIT, UNIT | {"package_id": "1154", "tracking_number": "B"}])
    shared = an_order(id="2", line_items=[UNIT])
    no_package = an_order(id="3", line_items=[UNIT | {"package_id": "", "tracking_number": ""}])
    no_items = an_order(id="4", line_items=[])
    unshipped = an_order(
        id="5", line_items=[UNIT | {"package_id": "", "tracking_number": ""}], tracking_number=""
    )
    shipments = import_orders(tmp_path, split, shared, no_package, no_items, unshipped)["shipments"]
    number = ORDER["tracking_number"]
    assert [(row["shipment_id"], row["order_id"], row["tracking_number"]) for row in shipments] == [
        ("1:1153", "1", number),
        ("1:1154", "1", "B"),
        ("2:1153", "2", number),
        (f"3:{number}", "3", number),
        (f"4:{number}", "4", number),
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [("VND", "12500", 12500), ("JPY", "980.00", 980), ("KWD", "1.005", 1005), ("USD", "1e1", 1000)],
)
def test_amounts_follow_the_currency(tmp_path: Path, currency: str, amount: str, minor: int) -> None:
    order = an_order(payment={"currency": currency, "total_amount": amount}, line_items=[])
    (row,) = import_orders(tmp_path, order)["orders"]
    assert row["total_minor"] == minor
    assert row["subtotal_minor"] is None


def test_city_level_outside_the_us(tmp_path: Path) -> None:
    address = {
        "region_code": "ID",
        "district_info": [
            {"address_level": "L1", "address_name": "Jawa Barat"},
            {"address_level": "L2", "address_name": "Bandung"},
            {"address_level": "L3", "address_name": "Coblong"},
        ],
    }
    (row,) = import_orders(tmp_path, an_order(recipient_address=address))["orders"]
    assert (row["ship_to_region"], row["ship_to_city"], row["ship_to_postcode"]) == (
        "Jawa Barat",
        "Bandung",
        None,
    )


@pytest.mark.parametrize("wrap", [lambda orders: orders, lambda orders: {"orders": orders}])
def test_other_shells_and_several_pages(tmp_path: Path, wrap: Any) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(
            json.dumps(wrap([an_order(id=number)])), encoding="utf-8-sig"
        )
    counts = import_tiktok_orders([tmp_path / "1.json", tmp_path / "2.json"], tmp_path / "out", seller_id="s")
    assert counts == {"orders": 2, "order_items": 2, "shipments": 2}


def test_what_is_written_is_clean_input(tmp_path: Path) -> None:
    import_orders(tmp_path, an_order(), an_order(), an_order(id="2", user_id=7, line_items=[UNIT]))
    ingested = ingest(tmp_path / "out", duckdb.connect())
    counts = {
        name: (count.rows_kept, count.rows_rejected, count.rows_deduplicated)
        for name, count in ingested.counts.items()
        if count.rows_in
    }
    assert counts == {"orders": (2, 0, 1), "order_items": (2, 0, 1), "shipments": (2, 0, 1)}
    assert "payment_id" not in ingested.present["orders"]
    assert ingested.masked == {"orders.recipient_name": 3, "orders.recipient_phone": 3}


def test_a_list_without_orders(tmp_path: Path) -> None:
    assert import_orders(tmp_path) == {"orders": [], "order_items": [], "shipments": []}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in an_order().items() if name != field}


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (without("create_time"), "data.orders[1].create_time is missing"),
        (
            an_order(create_time="soon"),
            "data.orders[1].create_time is 'soon': it must be a time in Unix seconds",
        ),
        (
            an_order(paid_time=1714557660000),
            "data.orders[1].paid_time is 1714557660000: it must be a time in Unix seconds",
        ),
        (an_order(payment={"currency": "USD"}), "data.orders[1].payment.total_amount is missing"),
        (
            an_order(payment={"currency": "USD", "total_amount": "1.234"}),
            "data.orders[1].payment.total_amount is 1.234; USD has 2 decimals at most",
        ),
        (
            an_order(payment={"currency": "USD", "total_amount": 12.5}),
            'data.orders[1].payment.total_amount is 12.5: it must be a decimal string such as "12.50"',
        ),
        (
            an_order(payment={"currency": "USD", "total_amount": "NaN"}),
            "data.orders[1].payment.total_amount is 'NaN': ",
        ),
        (
            an_order(line_items=[UNIT, UNIT | {"sale_price": "twelve"}]),
            "data.orders[1].line_items[1].sale_price is 'twelve': ",
        ),
        (
            an_order(line_items=[UNIT, UNIT | {"sale_price": "0.005"}]),
            "data.orders[1].line_items[1].sale_price is 0.005; USD has 2 decimals at most",
        ),
        (an_order(recipient_address=["x"]), "data.orders[1].recipient_address is list: "),
    ],
)
def test_a_wrong_field_is_named_with_its_path(tmp_path: Path, order: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        import_orders(tmp_path, an_order(), order)
    assert str(caught.value).startswith(f"{tmp_path / 'page.json'}: {message}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ('{"data": {}}', "is no order list; it must be a list, or hold data.orders or orders"),
        ('{"items": []}', "is no order list"),
        ("7", "is no order list"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "page.json").write_text(text)
    with pytest.raises(InputError, match=message):
        import_tiktok_orders([tmp_path / "page.json"], tmp_path / "out", seller_id="s")


def test_command(tmp_path: Path) -> None:
    page = tmp_path / "page.json"
    page.write_text(json.dumps([an_order()]))
    arguments = ["import", "tiktok-orders", str(page), "--out", str(tmp_path / "out"), "--seller", "s7"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "orders.parquet: 1 rows" in result.output
    assert pq.read_table(tmp_path / "out/orders.parquet")["seller_id"].to_pylist() == ["s7"]
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, InputError)
    assert str(again.exception) == f"{tmp_path / 'out'} already holds orders.parquet; give a new folder"
