"""What only looks guilty is spared, and a brushed seller is a victim: hand-built scenes, whole scans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pytest
from scenarios import LOOKALIKES, START, Scene, brushed_by_competitor, high_street
from town import Town

from detector.ingest import ingest_frames
from detector.job import connect
from detector.policy.loader import load_policy
from detector.results import order_reasons, orders_table
from detector.scan import last_instant, run
from detector.scoring import ALLOW, Scorer
from detector.simulate.market import Market, simulate

Stagers = Mapping[str, Callable[..., Scene]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A scanned market: ``orders`` by order id, ``sellers`` by seller id, the scenes by name."""

    orders: pd.DataFrame
    sellers: pd.DataFrame
    scenes: dict[str, Scene]


@pytest.fixture(scope="session")
def background() -> Market:
    """A simulated market with attacks and look-alikes of its own, into which the scenes are set."""
    return simulate(6000, 60, seed=11)


@pytest.fixture(scope="session")
def lookalikes(background: Market) -> Judged:
    return _scanned(background, LOOKALIKES)


@pytest.fixture(scope="session")
def brushed(background: Market) -> Judged:
    return _scanned(background, {"brushed": brushed_by_competitor})


def _scanned(background: Market, stagers: Stagers) -> Judged:
    town = Town(5, START)
    street = high_street(town)
    scenes = {name: stage(town, street) for name, stage in stagers.items()}
    frames = {
        name: pa.concat_tables(
            [table, pa.Table.from_pylist(town.rows.get(name, []), table.schema)]
        ).to_pandas(types_mapper=pd.ArrowDtype)
        for name, table in background.tables.items()
    }
    policy = load_policy(None)
    scorer = Scorer(policy.detection, policy.rule)
    with connect() as con:
        ingested = ingest_frames(frames, con)
        assert con.execute("FROM rejects").fetchall() == []
        scan = run(
            ingested, scorer, policy, as_of=last_instant(con), since=None, stage=lambda name: nullcontext()
        )
        orders = orders_table(scan, order_reasons(scan, scorer, 0.2)).to_pandas()
    return Judged(orders.set_index("order_id"), scan.sellers.set_index("seller_id"), scenes)


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_lookalike_is_left_alone(name: str, lookalikes: Judged) -> None:
    scene = lookalikes.scenes[name]
    orders = lookalikes.orders.loc[scene.orders]
    suspected = orders[orders["decision"] != ALLOW]
    assert len(suspected) <= 0.01 * len(orders), _why(suspected)
    cases = lookalikes.sellers.loc[scene.sellers].query("recommendation == 'open_case'")
    assert cases.empty


def test_ordinary_customers_of_the_scenes_are_left_alone(lookalikes: Judged) -> None:
    town = lookalikes.orders[lookalikes.orders.index.str.startswith("town-")]
    suspected = town[town["decision"] != ALLOW]
    assert len(suspected) <= 0.002 * len(town), _why(suspected)


def test_orders_by_a_competitors_farm_are_found(brushed: Judged) -> None:
    fakes = brushed.orders.loc[brushed.scenes["brushed"].orders]
    assert (fakes["decision"] != ALLOW).mean() >= 0.6


def test_a_brushed_seller_is_a_possible_victim(brushed: Judged) -> None:
    (victim,) = brushed.scenes["brushed"].sellers
    verdict = brushed.sellers.loc[victim]
    assert verdict["disposition_hint"] == "possible_victim"
    assert verdict["recommendation"] in ("none", "watch")


def test_customers_of_a_brushed_seller_stay_honest(brushed: Judged) -> None:
    fakes = set(brushed.scenes["brushed"].orders)
    town = brushed.orders[brushed.orders.index.str.startswith("town-")]
    honest = town[~town.index.isin(fakes)]
    suspected = honest[honest["decision"] != ALLOW]
    assert len(suspected) <= 0.01 * len(honest), _why(suspected)


def _why(orders: pd.DataFrame) -> str:
    """Reason codes of the suspected orders, most frequent first, for the failure message."""
    codes = orders["reasons"].explode().map(lambda reason: reason["code"]).value_counts()
    return f"{len(orders)} suspected, at {orders['seller_id'].nunique()} sellers: {codes.to_dict()}"
