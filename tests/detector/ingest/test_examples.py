"""The example mappings, on tiny files with the columns of the real exports."""

from __future__ import annotations

import gzip
from pathlib import Path

from ingest_builders import at, read, rejects, rows_of

from detector.ingest import TableCount

EXAMPLES = Path(__file__).parents[3] / "examples"
OLIST = {
    "olist_order_items_dataset": (
        "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
        "o1,1,p1,s1,9/19/2017 9:45,58.9,13.29\n"
        "o1,10,p2,s2,9/20/2017 9:45,10,0\n"
        "o1,2,p2,s2,9/20/2017 9:45,10,0\n"
        "o2,1,p1,s1,2018-01-18 14:48:30,240,19.93\n"
    ),
    "olist_orders_dataset": (
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
        "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
        "o1,c1,delivered,9/13/2017 8:59,9/13/2017 9:45,9/19/2017 18:34,9/20/2017 23:43,9/29/2017 0:00\n"
        "o9,c9,canceled,9/13/2017 8:59,,,,9/29/2017 0:00\n"
    ),
    "olist_customers_dataset": (
        "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
        "c1,u1,9790,sao bernardo do campo,SP\n"
    ),
    "olist_order_payments_dataset": (
        '"order_id","payment_sequential","payment_type","payment_installments","payment_value"\n'
        "o1,1,voucher,1,2.19\no1,2,credit_card,1,90\n"
    ),
    "olist_products_dataset": (
        '"product_id","product_category_name","product_name_lenght","product_description_lenght",'
        '"product_photos_qty","product_weight_g","product_length_cm","product_height_cm","product_width_cm"\n'
        '"p1",perfumaria,40,287,1,225,16,10,14\n"p2",,,,,,,,\n"p3",novidade,,,,10,,,\n'
    ),
    "olist_sellers_dataset": (
        '"seller_id","seller_zip_code_prefix","seller_city","seller_state"\n"s1","1303",campinas,SP\n'
    ),
    "product_category_name_translation": (
        "\ufeffproduct_category_name,product_category_name_english\nperfumaria,perfumery\n"
    ),
}


def test_olist(tmp_path: Path) -> None:
    for name, text in OLIST.items():
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    ingested = read(tmp_path, mapping=EXAMPLES / "olist.toml")
    assert rejects(ingested) == []
    assert ingested.counts["orders"] == TableCount(2, 2, 0, 0)
    columns = ("order_id", "seller_id", "buyer_id", "created_at", "total_minor", "status", "delivered_at")
    assert rows_of(ingested, "orders", *columns) == [
        ("o1", "s1", "u1", at("2017-09-13T11:59"), 9219, "DELIVERED", at("2017-09-21T02:43")),
        ("o2", "s1", "o2", at("2018-01-18T16:48:30"), 25993, None, None),
    ]
    columns = (
        "payment_method",
        "subtotal_minor",
        "shipping_fee_minor",
        "ship_to_country",
        "ship_to_postcode",
    )
    assert rows_of(ingested, "orders", *columns) == [
        ("credit_card", 7890, 1329, "BR", "09790"),
        (None, 24000, 1993, None, None),
    ]
    assert rows_of(ingested, "order_items", "order_id", "line_no", "quantity", "unit_price_minor") == [
        ("o1", "1", 1, 5890),
        ("o1", "10", 1, 1000),
        ("o1", "2", 1, 1000),
        ("o2", "1", 1, 24000),
    ]
    assert rows_of(ingested, "products", "product_id", "category", "weight_g") == [
        ("p1", "perfumery", 225),
        ("p2", None, None),
        ("p3", "novidade", 10),
    ]
    assert rows_of(ingested, "sellers") == [("s1", None, "BR", "SP", "campinas", "01303")]
    assert not ingested.present["shipments"] | ingested.present["reviews"] | ingested.present["labels"]


def test_first_purchase(tmp_path: Path) -> None:
    (tmp_path / "purchases.csv").write_text(
        "user_id,signup_time,purchase_time,purchase_value,device_id,source,browser,sex,age,class\n"
        "22058,2/24/15 22:55,4/18/15 2:47,34,QVP,SEO,Chrome,M,39,0\n"
        "333320,2015-06-07 20:39:50,2015-06-08 01:38:54,16,QVP,Ads,Chrome,F,53,1\n"
    )
    ingested = read(tmp_path, mapping=EXAMPLES / "first_purchase.toml")
    assert rejects(ingested) == []
    assert rows_of(
        ingested, "orders", "order_id", "seller_id", "buyer_id", "created_at", "total_minor", "device_id"
    ) == [
        ("purchase-22058", "the-shop", "22058", at("2015-04-18T02:47"), 3400, "QVP"),
        ("purchase-333320", "the-shop", "333320", at("2015-06-08T01:38:54"), 1600, "QVP"),
    ]
    assert rows_of(ingested, "buyers") == [
        ("22058", at("2015-02-24T22:55")),
        ("333320", at("2015-06-07T20:39:50")),
    ]
    assert rows_of(ingested, "account_identifiers", "account_id", "identifier_kind", "identifier_value") == [
        ("22058", "device", "QVP"),
        ("333320", "device", "QVP"),
    ]
    assert rows_of(ingested, "labels", "subject_id", "is_fake") == [
        ("purchase-22058", False),
        ("purchase-333320", True),
    ]
