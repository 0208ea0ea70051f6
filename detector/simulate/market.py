"""A whole simulated marketplace: tables as a platform would export them, and the truth kept apart."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detector.errors import TrueTradeError
from detector.simulate.attacks.registry import ATTACKS
from detector.simulate.attacks.stage import Stage
from detector.simulate.clicks import click_trail
from detector.simulate.draft import NOT_IN_GROUP, TAKEN_INTO_GROUP
from detector.simulate.frame import Array, Params, mix
from detector.simulate.genuine import add_genuine, shopping_times
from detector.simulate.ids import Ids
from detector.simulate.lanes import assign_lanes, load_carriers
from detector.simulate.life import live
from detector.simulate.logs import click_table, event_table, review_table, shipment_table
from detector.simulate.lookalikes_parcels import ORDER_GROUPS, OVERLAYS
from detector.simulate.lookalikes_people import PEOPLE_GROUPS
from detector.simulate.money import Basket, fill_baskets, price_orders
from detector.simulate.parcels import Shipments, ship
from detector.simulate.reviews import write_reviews
from detector.simulate.scenes import Cast, place
from detector.simulate.tables import (
    identifier_table,
    orders_table,
    people_tables,
    selling_tables,
    shelf_tables,
)
from detector.simulate.tips import label_table, report_table
from detector.simulate.traces import trace
from detector.simulate.truth import truth_tables
from detector.simulate.world import World, build_world

__all__ = ["END", "GROUPS", "Market", "SimulationError", "simulate", "write_market"]

END = datetime(2023, 10, 1, tzinfo=UTC)
"""The default instant of the export: its last two weeks hold the first-mile carrier switch (policy 6.6)."""
GROUPS = (*PEOPLE_GROUPS, *ORDER_GROUPS, *OVERLAYS, "brushed_victims")
"""The look-alike groups, by the code that plans carry."""
_GROUP_SHARE = 0.0033


class SimulationError(TrueTradeError):
    """A marketplace that cannot be simulated."""


@dataclass(frozen=True, slots=True)
class Market:
    """Contract tables by name, truth tables (``orders``, ``sellers``) and what they were made with."""

    tables: dict[str, pa.Table]
    truth: dict[str, pa.Table]
    manifest: dict[str, Any]


def simulate(
    orders: int,
    days: int,
    seed: int,
    fake_share: float = 0.02,
    attacks: tuple[str, ...] | None = None,
    end: datetime = END,
) -> Market:
    """Simulate ``orders`` orders over the ``days`` before ``end``; equal arguments give equal tables.

    ``fake_share`` is the share of orders that are fake (0–0.5); ``attacks`` names the kinds of attack to
    stage (default: all). Raises SimulationError for values that leave nothing to simulate.
    """
    params = _params(orders, days, seed, fake_share, attacks, end)
    world = build_world(params)
    cast = _stage_all(world)
    carriers = load_carriers()
    assign_lanes(world, carriers)
    _overlay(world, cast)
    basket, promotion = fill_baskets(world)
    money = price_orders(world, basket, promotion)
    life = live(world)
    _settle_dates(world)
    shipments = ship(world, carriers, life, _weights(world, basket))
    ids = Ids(seed)
    tables = {
        "orders": orders_table(world, ids, life, money),
        **shelf_tables(world, ids, basket),
        **people_tables(world, ids),
        "account_identifiers": identifier_table(world, ids),
        "shipments": shipment_table(world, ids, carriers, shipments),
        "tracking_events": event_table(
            world, ids, shipments, trace(world, carriers, shipments, _shuffled(ids, shipments))
        ),
        "reviews": review_table(world, ids, write_reviews(world, life)),
        **selling_tables(world, ids),
        "affiliate_clicks": click_table(ids, click_trail(world)),
        "reports": report_table(world, ids, cast),
        "labels": label_table(world, ids),
    }
    return Market(tables, truth_tables(world, ids, cast, GROUPS), _manifest(params, tables))


def write_market(market: Market, out: Path) -> None:
    """Write ``out/market/*.parquet`` and ``out/truth/``; ``out`` is whole or not there at all."""
    if out.exists() and any(out.iterdir()):
        raise SimulationError(f"{out} is not empty; choose a folder that does not exist yet")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    jobs: list[tuple[pa.Table, Path]] = []
    for folder, tables in (("market", market.tables), ("truth", market.truth)):
        (partial / folder).mkdir(parents=True)
        for name, made in tables.items():
            jobs.append((made, partial / folder / f"{name}.parquet"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: pq.write_table(*job, compression="zstd"), jobs))
    text = json.dumps(market.manifest, indent=2, sort_keys=True) + "\n"
    (partial / "truth" / "manifest.json").write_text(text, "utf-8")
    if out.exists():
        out.rmdir()
    partial.rename(out)


def _params(
    orders: int, days: int, seed: int, fake_share: float, attacks: tuple[str, ...] | None, end: datetime
) -> Params:
    chosen = tuple(ATTACKS) if attacks is None else attacks
    unknown = sorted(set(chosen) - set(ATTACKS))
    if unknown:
        raise SimulationError(f"unknown attack {unknown[0]!r}; known: {', '.join(ATTACKS)}")
    if orders < 1000 or days < 7:
        raise SimulationError(f"{orders} orders over {days} days is too little; at least 1000 over 7 days")
    if not 0 <= fake_share <= 0.5 or seed < 0:
        raise SimulationError(
            f"fake share {fake_share} and seed {seed}: 0 to 0.5 and not negative are allowed"
        )
    instant = round(end.timestamp()) * 1_000_000
    return Params(orders, days, seed, fake_share if chosen else 0.0, chosen, instant)


def _stage_all(world: World) -> Cast:
    """Ordinary orders first, then look-alike groups, then attacks, up to exactly the asked number."""
    params, orders = world.params, world.orders
    fakes = round(params.orders * params.fake_share)
    quota = max(20, round(params.orders * _GROUP_SHARE))
    groups = len(PEOPLE_GROUPS) + len(ORDER_GROUPS)
    room = round(quota * groups * 1.3 + fakes * 1.15)
    add_genuine(world, max(params.orders // 4, params.orders - room))
    for name, stage in {**PEOPLE_GROUPS, **ORDER_GROUPS}.items():
        before = len(orders)
        stage(world, world.rng(name), quota)
        fresh = orders["group"][before:]
        fresh[fresh == -1] = GROUPS.index(name)
        orders["group"][orders["group"] == TAKEN_INTO_GROUP] = GROUPS.index(name)
    orders["group"][orders["group"] == NOT_IN_GROUP] = -1
    counts = np.bincount(orders["seller"], minlength=len(world.sellers))
    cast = Cast(counts, np.zeros_like(counts))
    _attack(world, cast, fakes)
    _top_up(world, params.orders - len(orders))
    return cast


def _top_up(world: World, n: int) -> None:
    """Ordinary repeat orders until the number is right."""
    if n <= 0:
        return
    rng, orders = world.rng("top-up"), world.orders
    plain = np.flatnonzero((orders["group"] == -1) & ~orders["fake"])
    rows = np.sort(rng.permutation(plain)[:n])
    if len(rows) < n:
        rows = plain[rng.integers(0, len(plain), n)]
    buyer = orders["buyer"][rows].astype(np.int64)
    moved = shopping_times(rng, world, world.buyers["country"][buyer])
    place(world, rng, buyer, orders["seller"][rows], moved)


def _attack(world: World, cast: Cast, fakes: int) -> None:
    """Share the fakes out over the attacks, unevenly."""
    params, rng = world.params, world.rng("attacks")
    if fakes <= 0 or not params.attacks:
        return
    weights = rng.uniform(0.75, 1.25, len(params.attacks))
    edges = np.round(np.cumsum(weights) / weights.sum() * fakes).astype(int)
    for name, quota in zip(params.attacks, np.diff(np.concatenate([[0], edges])), strict=True):
        before = len(world.orders)
        ATTACKS[name](Stage(world, world.rng(f"attack {name}"), cast, name), int(quota))
        attack, fake = world.orders["attack"][before:], world.orders["fake"][before:]
        attack[fake] = list(ATTACKS).index(name)


def _overlay(world: World, cast: Cast) -> None:
    """Find the groups that ordinary orders fall into of themselves."""
    quota = max(20, round(world.params.orders * _GROUP_SHARE))
    for name, find in OVERLAYS.items():
        world.orders["group"][find(world, world.rng(name), quota)] = GROUPS.index(name)
    honest = (world.orders["group"] == -1) & ~world.orders["fake"]
    brushed = np.isin(world.orders["seller"], sorted(cast.victims))
    world.orders["group"][honest & brushed] = GROUPS.index("brushed_victims")


def _settle_dates(world: World) -> None:
    """No account, shop or listing is younger than the first order that needs it."""
    orders, rng = world.orders, world.rng("dates")
    for frame, column, key in (
        (world.buyers, "registered", "buyer"),
        (world.sellers, "registered", "seller"),
        (world.products, "listed", "product"),
    ):
        first = np.full(len(frame), np.iinfo(np.int64).max)
        np.minimum.at(first, orders[key], orders["created"])
        lead = (rng.lognormal(2.0, 1.5, len(frame)) * 3_600_000_000).astype(np.int64) + 60_000_000
        frame[column][:] = np.minimum(frame[column], first - lead)
    world.products["listed"][:] = np.maximum(
        world.products["listed"], world.sellers["registered"][world.products["seller"]]
    )


def _weights(world: World, basket: Basket) -> tuple[Array, Array]:
    """True and catalogue grams of each order's goods."""
    n, products = len(world.orders), world.products
    return (
        np.bincount(basket.order, products["true_weight_g"][basket.product] * basket.quantity, n),
        np.bincount(basket.order, products["weight_g"][basket.product] * basket.quantity, n),
    )


def _shuffled(ids: Ids, shipments: Shipments) -> Array:
    return np.argsort(mix(np.arange(len(shipments)), ids.salt("shipment")))


def _manifest(params: Params, tables: dict[str, pa.Table]) -> dict[str, Any]:
    return {
        "seed": params.seed,
        "orders": params.orders,
        "days": params.days,
        "fake_share": params.fake_share,
        "attacks": list(params.attacks),
        "groups": list(GROUPS),
        "start": _iso(params.start),
        "end": _iso(params.end),
        "rows": {name: made.num_rows for name, made in tables.items()},
    }


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1_000_000, UTC).isoformat()
