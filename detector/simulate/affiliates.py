"""Creators, the partners who manage them, and the campaigns that pay them."""

from __future__ import annotations

import numpy as np

from detector.simulate.frame import DAY, Array, Frame, Params, pick
from detector.simulate.geo import Geo
from detector.simulate.people import new_handles, new_phones

__all__ = ["add_campaigns", "add_creators", "campaigns_frame", "creators_frame", "partners_frame"]


def creators_frame() -> Frame:
    """Creators; ``buyer`` is the account the creator shops with, -1 none known."""
    return Frame(
        {
            "country": ("i1", 0),
            "registered": ("i8", 0),
            "followers": ("i8", 0),
            "videos": ("i8", 0),
            "verified": ("?", True),
            "partner": ("i4", -1),
            "weight": ("f8", 1.0),
            "device": ("i8", -1),
            "phone": ("i8", -1),
            "bank": ("i8", -1),
            "document": ("i8", -1),
            "buyer": ("i4", -1),
        }
    )


def partners_frame() -> Frame:
    return Frame({"phone": ("i8", -1), "bank": ("i8", -1), "document": ("i8", -1), "device": ("i8", -1)})


def campaigns_frame() -> Frame:
    """One row per campaign and product; ``campaign`` numbers the campaigns."""
    return Frame(
        {
            "campaign": ("i4", 0),
            "product": ("i4", 0),
            "partner": ("i4", -1),
            "seller": ("i4", 0),
            "creator_bp": ("i4", 1000),
            "partner_bp": ("i4", 200),
            "starts": ("i8", 0),
            "ends": ("i8", 0),
        }
    )


def add_creators(
    creators: Frame, partners: Frame, geo: Geo, rng: np.random.Generator, params: Params
) -> Array:
    """One creator per 130 orders, followers with a heavy tail; three in five belong to a partner."""
    n = max(40, params.orders // 130)
    agencies = max(4, n // 25)
    partners.add(agencies, **{name: new_handles(rng, agencies) for name in partners.names})
    managed = rng.random(n) < 0.6
    followers = (1000 * rng.pareto(0.9, n) + rng.integers(200, 2500, n)).clip(0, 8_000_000)
    country = pick(rng, geo.buyer_share, n)
    eligible = rng.random(n) < 0.97
    return creators.add(
        n,
        country=country,
        registered=params.end - (rng.gamma(1.6, 350, n) * DAY).astype(np.int64),
        followers=np.where(eligible, np.maximum(followers, 1000), followers).astype(np.int64),
        videos=rng.lognormal(3.6, 1.0, n).astype(np.int64) + np.where(eligible, 10, 1),
        verified=rng.random(n) < 0.94,
        partner=np.where(managed, pick(rng, rng.lognormal(0, 1, agencies), n), -1),
        weight=np.sqrt(followers),
        device=new_handles(rng, n),
        phone=new_phones(rng, country),
        bank=new_handles(rng, n),
        document=new_handles(rng, n),
    )


def add_campaigns(
    campaigns: Frame,
    sellers: Frame,
    products: Frame,
    partners: Frame,
    rng: np.random.Generator,
    params: Params,
) -> Array:
    """Campaigns of affiliate shops on their best products; returns each product's campaign row or -1."""
    owner = products["seller"]
    joined = np.flatnonzero(sellers["affiliate"][owner] & (products["popularity"] > rng.uniform(0.02, 0.2)))
    n = len(sellers)
    shop = owner[joined]
    starts = params.start - (rng.random(n) * 60 * DAY).astype(np.int64)
    ends = np.where(
        rng.random(n) < 0.75,
        params.end + 30 * DAY,
        params.start + (rng.random(n) * (params.end - params.start)).astype(np.int64),
    )
    partner = np.where(rng.random(n) < 0.5, rng.integers(0, len(partners), n), -1)
    rate = np.round(rng.gamma(4, 300, n) / 100).clip(2, 35) * 100
    rows = campaigns.add(
        len(joined),
        campaign=shop,
        product=joined,
        partner=partner[shop],
        seller=shop,
        creator_bp=rate[shop],
        partner_bp=np.where(partner[shop] >= 0, np.round(rng.uniform(1, 8, n))[shop] * 100, 0),
        starts=starts[shop],
        ends=ends[shop],
    )
    row_of = np.full(len(products), -1, dtype=np.int64)
    row_of[joined] = rows
    return row_of
