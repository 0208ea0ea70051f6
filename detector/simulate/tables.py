"""From plans and facts to the contract's tables: orders, goods, people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from detector.contract import ACCOUNT_KINDS, IDENTIFIER_KINDS, INPUT_TABLES, ORDER_STATUSES, arrow_schema
from detector.simulate.disguise import ship_to_columns
from detector.simulate.draft import CHANNELS
from detector.simulate.frame import Array, mix
from detector.simulate.geo import words
from detector.simulate.identifiers import DEVICE_SALT, PAYMENT_SALT, dotted, identifier_rows
from detector.simulate.ids import Ids
from detector.simulate.life import Life
from detector.simulate.money import Basket, Money, list_price
from detector.simulate.promotions import KINDS
from detector.simulate.text import choose, opaque, render, times, where
from detector.simulate.world import World

__all__ = ["identifier_table", "orders_table", "people_tables", "selling_tables", "shelf_tables", "table"]


def table(name: str, order: Array | None = None, **columns: Any) -> pa.Table:
    """A contract table from its columns (missing ones null), rows in the given order."""
    schema = arrow_schema(INPUT_TABLES[name])
    rows = len(next(iter(columns.values())))
    arrays = [_column(columns.get(field.name), field.type, rows) for field in schema]
    made = pa.Table.from_arrays(arrays, schema=schema)
    return made if order is None else made.take(pa.array(order)).combine_chunks()


def _column(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values if values.type == kind else values.cast(kind)
    if pa.types.is_timestamp(kind):
        return times(values)
    if pa.types.is_int64(kind):
        return pa.array(values.astype(np.int64), mask=values < 0)
    return pa.array(values, kind)


def orders_table(world: World, ids: Ids, life: Life, money: Money) -> pa.Table:
    """The orders, by time; ties by a scrambled number."""
    orders, n = world.orders, len(world.orders)
    campaign = _campaign(world)
    refunded = life.refunded >= 0
    payment = orders["payment"]
    return table(
        "orders",
        np.lexsort((mix(np.arange(n), ids.salt("order")), orders["created"])),
        order_id=ids.of("order", np.arange(n)),
        seller_id=ids.of("seller", orders["seller"]),
        buyer_id=ids.of("buyer", orders["buyer"]),
        created_at=orders["created"],
        currency=choose(world.geo.currencies, money.country),
        total_minor=money.total,
        status=choose(ORDER_STATUSES, life.status),
        paid_at=life.paid,
        shipped_at=life.shipped,
        delivered_at=life.delivered,
        completed_at=life.completed,
        cancelled_at=life.cancelled,
        refunded_at=life.refunded,
        refund_minor=np.where(refunded, (money.total * life.refund_share).astype(np.int64), 0),
        subtotal_minor=money.subtotal,
        seller_discount_minor=money.seller_discount,
        platform_discount_minor=money.platform_discount,
        shipping_fee_minor=money.shipping,
        payment_method=_payment_method(world, payment, money.country),
        payment_id=opaque(payment, PAYMENT_SALT),
        device_id=opaque(orders["device"], DEVICE_SALT),
        ip_address=where(mix(np.arange(n), 801) % np.uint64(50) != 0, dotted(orders["ip"])),
        **ship_to_columns(world),
        channel=choose(CHANNELS, orders["channel"].astype(np.int64)),
        creator_id=ids.of("creator", orders["creator"]),
        campaign_id=ids.of("campaign", campaign),
        promotion_id=ids.of("promotion", money.promotion),
        is_sample=orders["sample"],
        is_replacement=orders["replacement"],
        is_exchange=orders["exchange"],
        combined_group_id=ids.of("combined", orders["combined"]),
    )


def _campaign(world: World) -> Array:
    """The campaign that pays for a creator's order: only of the product, only while it runs."""
    orders, campaigns = world.orders, world.campaigns
    row = np.where(orders["creator"] >= 0, world.product_campaign[orders["product"]], -1)
    safe = np.maximum(row, 0)
    runs = (campaigns["starts"][safe] <= orders["created"]) & (orders["created"] < campaigns["ends"][safe])
    return np.where((row >= 0) & runs, campaigns["campaign"][safe], -1)


def _payment_method(world: World, payment: Array, country: Array) -> pa.StringArray:
    methods = ("card", "e_wallet", "bank_transfer", "pay_later", "cash_on_delivery")
    on_delivery = np.isin(country, [world.geo.country(c) for c in ("ID", "TH", "PH", "VN", "MY")])
    kind = np.array([0, 0, 0, 1, 1, 1, 2, 3])[(mix(payment, 802) % np.uint64(8)).astype(np.int64)]
    return choose(methods, np.where(payment >= 0, kind, np.where(on_delivery, 4, 2)))


def shelf_tables(world: World, ids: Ids, basket: Basket) -> dict[str, pa.Table]:
    """order_items and products."""
    products = world.products
    index = np.arange(len(products))
    items = table(
        "order_items",
        np.lexsort((basket.line, mix(basket.order, ids.salt("order")))),
        order_id=ids.of("order", basket.order),
        line_no=pa.array(basket.line + 1).cast(pa.string()),
        product_id=ids.of("product", basket.product),
        sku_id=ids.of("sku", basket.product.astype(np.int64) * 16 + basket.sku),
        quantity=basket.quantity,
        unit_price_minor=basket.unit_minor,
        list_price_minor=basket.list_minor,
    )
    goods = table(
        "products",
        np.argsort(mix(index, ids.salt("product"))),
        product_id=ids.of("product", index),
        seller_id=ids.of("seller", products["seller"]),
        title=_titles(world),
        category=choose([c["name"] for c in words()["category"]], products["category"].astype(np.int64)),
        weight_g=products["weight_g"],
        listed_at=products["listed"],
    )
    return {"order_items": items, "products": goods}


def _titles(world: World) -> pa.StringArray:
    """Brand, adjective, thing and variant; shops that sell to China write the thing in Chinese too."""
    parts, look = words()["titles"], world.products["look"]
    nouns = [noun for category in words()["category"] for noun in category["nouns"]]
    shown = [noun.capitalize() for noun in nouns]
    both = [f"{words()['translations'][noun]['zh']} {noun}" for noun in nouns]
    noun = world.products["noun"].astype(np.int64)
    chinese = world.sellers["market0"][world.products["seller"]] == world.geo.country("CN")
    return render(
        "{brand} {adjective} {noun} {variant}",
        brand=choose(parts["brands"], look % len(parts["brands"])),
        adjective=choose(parts["adjectives"], look // 32 % len(parts["adjectives"])),
        noun=choose(shown + both, np.where(chinese, noun + len(nouns), noun)),
        variant=choose(parts["variants"], look // 1024 % len(parts["variants"])),
    )


def people_tables(world: World, ids: Ids) -> dict[str, pa.Table]:
    """sellers, buyers and creators."""
    sellers, creators, geo = world.sellers, world.creators, world.geo
    shop, person, star = (np.arange(len(f)) for f in (sellers, world.buyers, creators))
    warehouse = sellers["warehouse"]
    city = world.addresses["city"][warehouse].astype(np.int64)
    return {
        "sellers": table(
            "sellers",
            np.argsort(mix(shop, ids.salt("seller"))),
            seller_id=ids.of("seller", shop),
            registered_at=sellers["registered"],
            country=choose(geo.countries, sellers["country"].astype(np.int64)),
            region=pa.array([geo.regions[c] for c in city], pa.string()),
            city=choose(geo.cities, city),
            postcode=choose(geo.postcodes, world.addresses["post"][warehouse].astype(np.int64)),
        ),
        "buyers": table(
            "buyers",
            np.argsort(mix(person, ids.salt("buyer"))),
            buyer_id=ids.of("buyer", person),
            registered_at=world.buyers["registered"],
        ),
        "creators": table(
            "creators",
            np.argsort(mix(star, ids.salt("creator"))),
            creator_id=ids.of("creator", star),
            registered_at=creators["registered"],
            follower_count=creators["followers"],
            public_video_count=creators["videos"],
            identity_verified=creators["verified"],
            partner_id=ids.of("partner", creators["partner"]),
        ),
    }


def selling_tables(world: World, ids: Ids) -> dict[str, pa.Table]:
    """promotions and campaigns."""
    promotions, campaigns = world.promotions, world.campaigns
    market = world.sellers["market0"][promotions["seller"]].astype(np.int64)
    listed = list_price(world, promotions["product"], market)
    step = world.geo.step_minor[market]
    price = np.maximum(np.round(listed * promotions["ratio"] / step), 1).astype(np.int64) * step
    return {
        "promotions": table(
            "promotions",
            np.lexsort((mix(promotions["product"], 803), mix(promotions["promotion"], 804))),
            promotion_id=ids.of("promotion", promotions["promotion"]),
            product_id=ids.of("product", promotions["product"]),
            kind=choose(KINDS, promotions["kind"].astype(np.int64)),
            seller_id=ids.of("seller", promotions["seller"]),
            price_minor=np.where(promotions["ratio"] > 0, price, -1),
            starts_at=promotions["starts"],
            ends_at=promotions["ends"],
        ),
        "campaigns": table(
            "campaigns",
            np.lexsort((mix(campaigns["product"], 805), mix(campaigns["campaign"], 806))),
            campaign_id=ids.of("campaign", campaigns["campaign"]),
            product_id=ids.of("product", campaigns["product"]),
            partner_id=ids.of("partner", campaigns["partner"]),
            seller_id=ids.of("seller", campaigns["seller"]),
            creator_commission_bp=campaigns["creator_bp"],
            partner_commission_bp=campaigns["partner_bp"],
            starts_at=campaigns["starts"],
            ends_at=campaigns["ends"],
        ),
    }


def identifier_table(world: World, ids: Ids) -> pa.Table:
    """account_identifiers, each once, in no telling order."""
    kind, account, identifier, value = identifier_rows(world)
    names = ("buyer", "seller", "creator", "partner")
    pieces = [ids.of(name, account[kind == code]) for code, name in enumerate(names)]
    back = np.argsort(np.argsort(kind, kind="stable"), kind="stable")
    return table(
        "account_identifiers",
        account_kind=choose(ACCOUNT_KINDS, kind),
        account_id=pa.concat_arrays(pieces).take(pa.array(back)),
        identifier_kind=choose(IDENTIFIER_KINDS, identifier),
        identifier_value=value,
    )
