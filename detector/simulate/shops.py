"""Sellers, their warehouses and their products."""

from __future__ import annotations

import numpy as np

from detector.simulate.frame import DAY, Array, Frame, Params, pick
from detector.simulate.geo import COMPANY, Geo, new_addresses, words
from detector.simulate.people import new_handles, new_phones

__all__ = ["add_products", "add_sellers", "categories", "products_frame", "sellers_frame"]


def sellers_frame() -> Frame:
    """Shops. ``warehouse`` is registered; parcels really leave from ``ship_city`` / ``ship_post``."""
    return Frame(
        {
            "country": ("i1", 0),
            "warehouse": ("i4", 0),
            "ship_city": ("i2", 0),
            "ship_post": ("i4", 0),
            "hub": ("i4", -1),
            "dropship": ("?", False),
            "registered": ("i8", 0),
            "weight": ("f8", 1.0),
            "market0": ("i1", 0),
            "market1": ("i1", 0),
            "category0": ("i1", 0),
            "category1": ("i1", 0),
            "carrier_key": ("i8", 0),
            "handling_h": ("f4", 20.0),
            "price_level": ("f4", 1.0),
            "device": ("i8", -1),
            "phone": ("i8", -1),
            "bank": ("i8", -1),
            "document": ("i8", -1),
            "nat": ("i8", -1),
            "owner_home": ("i4", -1),
            "owner_name": ("i4", 0),
            "affiliate": ("?", False),
        }
    )


def products_frame() -> Frame:
    """Listings. ``weight_g`` is what the catalogue says, ``true_weight_g`` what a scale says."""
    return Frame(
        {
            "seller": ("i4", 0),
            "noun": ("i2", 0),
            "look": ("i8", 0),
            "category": ("i1", 0),
            "price_usd": ("f8", 10.0),
            "weight_g": ("i4", 0),
            "true_weight_g": ("i4", 0),
            "listed": ("i8", 0),
            "popularity": ("f8", 1.0),
            "skus": ("i2", 1),
        }
    )


def categories() -> list[dict[str, object]]:
    return list(words()["category"])


def add_sellers(
    sellers: Frame, addresses: Frame, geo: Geo, rng: np.random.Generator, params: Params
) -> Array:
    """One shop per 35 orders, a heavy tail of sizes, half of them exporting from China."""
    n = max(60, round(params.orders / 34.5))
    country = pick(rng, geo.seller_share, n)
    country[: len(geo.countries)] = np.arange(len(geo.countries))
    city = geo.draw_cities(rng, country)
    warehouse = new_addresses(addresses, geo, rng, city, COMPANY, flats=0.3)
    owner_home = new_addresses(addresses, geo, rng, city)
    market0, market1 = _markets(geo, rng, country)
    return sellers.add(
        n,
        country=country,
        warehouse=warehouse,
        ship_city=city,
        ship_post=addresses["post"][warehouse],
        registered=params.end - (rng.gamma(1.4, 400, n) * DAY).astype(np.int64) - 5 * DAY,
        weight=rng.lognormal(0, 1.25, n),
        market0=market0,
        market1=market1,
        category0=rng.integers(0, len(categories()), n),
        category1=rng.integers(0, len(categories()), n),
        carrier_key=new_handles(rng, n),
        handling_h=np.clip(rng.lognormal(2.9, 0.5, n), 3, 90),
        price_level=rng.lognormal(0, 0.3, n),
        device=new_handles(rng, n),
        phone=new_phones(rng, country),
        bank=new_handles(rng, n),
        document=new_handles(rng, n),
        nat=new_handles(rng, n),
        owner_home=owner_home,
        owner_name=rng.integers(0, 1000, n) * 1000 + rng.integers(0, 1000, n),
        affiliate=rng.random(n) < 0.4,
    )


def _markets(geo: Geo, rng: np.random.Generator, country: Array) -> tuple[Array, Array]:
    """Where a shop sells: at home, or from China mostly abroad. The first of each country sells at home."""
    n = len(country)
    china = geo.country("CN")
    abroad = np.where(np.arange(len(geo.countries)) == china, 0.1, 1.0) * geo.buyer_share
    export = country == china
    first = np.where(export, pick(rng, abroad, n), country)
    second = np.where(export & (rng.random(n) < 0.4), pick(rng, abroad, n), first)
    at_home = len(geo.countries)
    first[:at_home], second[:at_home] = country[:at_home], country[:at_home]
    return first, second


def share_warehouses(sellers: Frame, addresses: Frame, geo: Geo, rng: np.random.Generator) -> None:
    """Put some shops into third-party warehouses and some onto a drop-shipping supplier's stock."""
    country = sellers["country"]
    hub_count = 0
    for code in range(len(geo.countries)):
        members = np.flatnonzero((country == code) & (rng.random(len(sellers)) < 0.13))
        hubs = max(1, len(members) // 14)
        posts = new_addresses(addresses, geo, rng, geo.draw_cities(rng, np.full(hubs, code)), COMPANY)
        mine = pick(rng, rng.lognormal(0, 0.6, hubs), len(members))
        sellers["hub"][members] = hub_count + mine
        sellers["ship_city"][members] = addresses["city"][posts][mine]
        sellers["ship_post"][members] = addresses["post"][posts][mine]
        hub_count += hubs
    _drop_shippers(sellers, addresses, geo, rng)


def _drop_shippers(sellers: Frame, addresses: Frame, geo: Geo, rng: np.random.Generator) -> None:
    """Shops outside China whose supplier in China sends the parcel."""
    china = geo.country("CN")
    free = (sellers["country"] != china) & (sellers["hub"] < 0)
    members = np.flatnonzero(free & (rng.random(len(sellers)) < 0.07))
    suppliers = max(2, len(members) // 6)
    posts = new_addresses(addresses, geo, rng, geo.draw_cities(rng, np.full(suppliers, china)), COMPANY)
    mine = rng.integers(0, suppliers, len(members))
    sellers["dropship"][members] = True
    sellers["ship_city"][members] = addresses["city"][posts][mine]
    sellers["ship_post"][members] = addresses["post"][posts][mine]


def add_products(products: Frame, sellers: Frame, rng: np.random.Generator, params: Params) -> Array:
    """Every shop's listings, seller by seller: a few heroes, a long tail."""
    count = 1 + np.minimum(rng.lognormal(1.9, 1.0, len(sellers)), 250).astype(np.int64)
    owner = np.repeat(np.arange(len(sellers)), count)
    n = len(owner)
    first = rng.random(n) < 0.75
    category = np.where(first, sellers["category0"][owner], sellers["category1"][owner]).astype(np.int64)
    noun, price, weight = _goods(rng, category)
    catalogue = np.where(rng.random(n) < 0.07, weight * rng.choice([0.1, 0.5, 2.0, 10.0], n), weight)
    catalogue = np.where(rng.random(n) < 0.35, np.ceil(catalogue / 100) * 100, catalogue)
    listed = sellers["registered"][owner] + (rng.random(n) ** 2 * 500 * DAY).astype(np.int64)
    rank = np.arange(n) - np.repeat(np.cumsum(count) - count, count)
    return products.add(
        n,
        seller=owner,
        noun=noun,
        look=new_handles(rng, n),
        category=category,
        price_usd=price * sellers["price_level"][owner],
        weight_g=np.maximum(catalogue, 5),
        true_weight_g=np.maximum(weight, 5),
        listed=np.minimum(listed, params.start + (rng.random(n) * 0.3 * params.days * DAY).astype(np.int64)),
        popularity=(1.0 + rank) ** -1.1,
        skus=1 + rng.integers(0, 6, n),
    )


def _goods(rng: np.random.Generator, category: Array) -> tuple[Array, Array, Array]:
    """What is sold in a category: noun position, price in USD, true weight in grams."""
    table = words()["category"]
    first_noun = np.concatenate([[0], np.cumsum([len(c["nouns"]) for c in table])[:-1]])
    spans = np.array([len(c["nouns"]) for c in table])
    noun = first_noun[category] + (rng.random(len(category)) * spans[category]).astype(np.int64)
    return (
        noun,
        _between(rng, np.array([c["price"] for c in table])[category]),
        _between(rng, np.array([c["weight"] for c in table])[category]),
    )


def _between(rng: np.random.Generator, bounds: Array) -> Array:
    """Log-normal with 90 % of its mass between the two bounds of each row."""
    low, high = np.log(bounds[:, 0]), np.log(bounds[:, 1])
    return np.asarray(np.exp(rng.normal((low + high) / 2, (high - low) / 3.3)))
