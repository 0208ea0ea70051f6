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
from detector.simulate.clicks import click_trail
from detector.simulate.frame import Array, Params, mix
from detector.simulate.ids import Ids
from detector.simulate.lanes import assign_lanes, load_carriers
from detector.simulate.life import live
from detector.simulate.logs import click_table, event_table, review_table, shipment_table
from detector.simulate.money import Basket, fill_baskets, price_orders
from detector.simulate.parcels import Shipments, ship
from detector.simulate.reviews import write_reviews
from detector.simulate.staging import GROUPS, find_groups, settle_dates, stage_orders
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

__all__ = ["END", "Market", "SimulationError", "simulate", "write_market"]

END = datetime(2023, 10, 1, tzinfo=UTC)
"""The default instant of the export: its last two weeks hold the first-mile carrier switch (policy 6.6)."""


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
    cast = stage_orders(world)
    carriers = load_carriers()
    assign_lanes(world, carriers)
    find_groups(world, cast)
    basket, promotion = fill_baskets(world)
    money = price_orders(world, basket, promotion)
    life = live(world)
    settle_dates(world)
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
