"""The people, shops and goods of one simulated marketplace, before anything is bought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.simulate.affiliates import (
    add_campaigns,
    add_creators,
    campaigns_frame,
    creators_frame,
    partners_frame,
)
from detector.simulate.draft import orders_frame
from detector.simulate.frame import Array, Frame, Params, pick, stream
from detector.simulate.geo import Geo, add_lockers, addresses_frame, load_geo
from detector.simulate.people import add_buyers, buyers_frame, countries_for, move_together
from detector.simulate.promotions import add_promotions, promotions_frame, voucher_days
from detector.simulate.shops import (
    add_products,
    add_sellers,
    products_frame,
    sellers_frame,
    share_warehouses,
)

__all__ = ["World", "build_world"]


@dataclass(slots=True)
class World:
    """All that exists. Frames grow while look-alike groups and attacks bring their own accounts."""

    params: Params
    geo: Geo
    addresses: Frame
    buyers: Frame
    sellers: Frame
    products: Frame
    creators: Frame
    partners: Frame
    campaigns: Frame
    promotions: Frame
    orders: Frame
    clicks: Frame
    links: Frame
    lockers: Array
    cgn_pool: Array
    voucher_days: Array
    product_first: Array
    product_edges: Array
    product_campaign: Array
    product_flash: Array
    product_discount: Array
    markets: list[tuple[Array, Array]]
    """For every country the sellers that sell there, and their weights."""
    rings: int = 0

    def rng(self, topic: str) -> np.random.Generator:
        return stream(self.params.seed, topic)

    def new_ring(self) -> int:
        self.rings += 1
        return self.rings - 1

    def draw_products(self, rng: np.random.Generator, seller: Array) -> Array:
        """One product of each given seller, popular ones more often."""
        low = self.product_edges[self.product_first[seller]]
        high = self.product_edges[self.product_first[seller + 1]]
        target = low + rng.random(len(seller)) * (high - low)
        found = np.searchsorted(self.product_edges, target, side="right") - 1
        return np.asarray(np.clip(found, self.product_first[seller], self.product_first[seller + 1] - 1))

    def hero(self, seller: int, place: int = 0) -> int:
        """The seller's most popular product, or the one ``place`` ranks below it."""
        first, stop = int(self.product_first[seller]), int(self.product_first[seller + 1])
        return first + place % (stop - first)


def links_frame() -> Frame:
    """Identifiers on file beside an account's own: who holds what that somebody else holds too."""
    return Frame({"kind": ("i1", 0), "account": ("i4", 0), "identifier": ("i1", 0), "value": ("i8", 0)})


def clicks_frame() -> Frame:
    """Clicks that no order of the plan explains: a farm's own clicking."""
    return Frame(
        {
            "creator": ("i4", 0),
            "product": ("i4", 0),
            "at": ("i8", 0),
            "buyer": ("i4", -1),
            "device": ("i8", -1),
            "ip": ("u4", 0),
        }
    )


def build_world(params: Params) -> World:
    """Geography, shops, goods, creators and the population that shops; no orders yet."""
    geo, seed = load_geo(params.seed), params.seed
    addresses, buyers, sellers, products = (
        addresses_frame(),
        buyers_frame(),
        sellers_frame(),
        products_frame(),
    )
    add_sellers(sellers, addresses, geo, stream(seed, "sellers"), params)
    share_warehouses(sellers, addresses, geo, stream(seed, "warehouses"))
    add_products(products, sellers, stream(seed, "products"), params)
    rng = stream(seed, "buyers")
    country = countries_for(rng, geo, round(params.orders * 0.58))
    add_buyers(buyers, addresses, geo, rng, country, params.end)
    move_together(buyers, rng)
    creators, partners, campaigns = creators_frame(), partners_frame(), campaigns_frame()
    add_creators(creators, partners, geo, stream(seed, "creators"), params)
    product_campaign = add_campaigns(
        campaigns, sellers, products, partners, stream(seed, "campaigns"), params
    )
    promotions, rng = promotions_frame(), stream(seed, "promotions")
    days = voucher_days(rng, params)
    flash, discount = add_promotions(promotions, products, days, rng, params)
    first = np.searchsorted(products["seller"], np.arange(len(sellers) + 1))
    return World(
        params=params,
        geo=geo,
        addresses=addresses,
        buyers=buyers,
        sellers=sellers,
        products=products,
        creators=creators,
        partners=partners,
        campaigns=campaigns,
        promotions=promotions,
        orders=orders_frame(params.orders + 1024),
        clicks=clicks_frame(),
        links=links_frame(),
        lockers=add_lockers(addresses, geo, stream(seed, "lockers")),
        cgn_pool=np.maximum(2, np.round(params.orders * geo.buyer_share / 220)).astype(np.int64),
        voucher_days=days,
        product_first=first,
        product_edges=np.concatenate([[0.0], np.cumsum(products["popularity"])]),
        product_campaign=product_campaign,
        product_flash=flash,
        product_discount=discount,
        markets=_markets(sellers, len(geo.countries)),
    )


def _markets(sellers: Frame, countries: int) -> list[tuple[Array, Array]]:
    found = []
    for code in range(countries):
        second = (sellers["market1"] == code) & (sellers["market0"] != code)
        members = np.flatnonzero((sellers["market0"] == code) | second)
        found.append((members, sellers["weight"][members] * np.where(second[members], 0.4, 1.0)))
    return found


def draw_sellers(rng: np.random.Generator, world: World, country: Array) -> Array:
    """A seller for each buyer's country, big shops more often."""
    chosen = np.empty(len(country), dtype=np.int64)
    for code in np.unique(country):
        rows = country == code
        members, weights = world.markets[int(code)]
        chosen[rows] = members[pick(rng, weights, int(rows.sum()))]
    return chosen
