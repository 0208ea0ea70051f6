"""FRAUDAR's injection protocol: a farm hidden in a real buyer–seller graph, found by graph features alone.

Fifty accounts are injected that buy from five sellers with a given density, without camouflage or with as
many edges again to sellers drawn at random or by popularity. Reported is the average precision of the
injected accounts among all buyers, by the surprise features of ``features.graph`` and, for comparison, by
plain greedy peeling (Hooi et al. 2016) as written below.

Give a folder that holds ``olist_order_items_dataset.csv.gz`` for the Olist graph (orders as buyers);
without one a simulated market's graph is used. That one is harder: accounts are not resolved to entities,
and its several countries, fan communities and resellers form blocks of their own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import duckdb
import numpy as np
import pandas as pd
import typer
from sklearn.metrics import average_precision_score

from detector.simulate.market import simulate
from features import graph
from features.identifiers import create_macros

OLIST = "olist_order_items_dataset.csv.gz"
ACCOUNTS, SELLERS = 50, 5
DENSITIES = (0.4, 0.6, 1.0)
CAMOUFLAGES = ("none", "random", "biased")
INJECTED = "injected-"


def main(
    data: Annotated[Path | None, typer.Argument(help=f"Folder with {OLIST}.")] = None, seeds: int = 5
) -> None:
    """Print the mean average precision over the seeds, per density and camouflage."""
    edges = simulated_edges() if data is None else olist_edges(data)
    print(f"{len(edges):,} edges, {edges['buyer_id'].nunique():,} buyers, {seeds} seeds each")
    print(measured(edges, seeds).to_string(index=False, float_format="%.3f"))


def olist_edges(folder: Path) -> pd.DataFrame:
    """Distinct (buyer_id, seller_id) of the Olist items; every order is a buyer of its own."""
    items = pd.read_csv(folder / OLIST, usecols=["order_id", "seller_id"])
    return items.rename(columns={"order_id": "buyer_id"}).drop_duplicates()


def simulated_edges(orders: int = 20_000) -> pd.DataFrame:
    """Distinct (buyer_id, seller_id) of a simulated market without fakes."""
    table = simulate(orders, 60, seed=3, attacks=()).tables["orders"]
    edges: pd.DataFrame = table.select(["buyer_id", "seller_id"]).to_pandas()
    return edges.drop_duplicates()


def measured(edges: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """One row per density and camouflage: mean average precision by each way of scoring accounts."""
    return pd.DataFrame(
        [
            {"density": density, "camouflage": camouflage} | _mean(edges, density, camouflage, seeds)
            for density in DENSITIES
            for camouflage in CAMOUFLAGES
        ]
    )


def _mean(edges: pd.DataFrame, density: float, camouflage: str, seeds: int) -> dict[str, float]:
    found = pd.DataFrame([_precision(inject(edges, density, camouflage, seed)) for seed in range(seeds)])
    means = {str(name): float(mean) for name, mean in found.mean().items()}
    return means | {"cobuying, worst seed": float(found["cobuying"].min())}


def _precision(edges: pd.DataFrame) -> dict[str, float]:
    scores = by_surprise(edges).assign(peeling=by_peeling(edges))
    fake = scores.index.str.startswith(INJECTED)
    return {str(name): float(average_precision_score(fake, score)) for name, score in scores.items()}


def inject(edges: pd.DataFrame, density: float, camouflage: str, seed: int) -> pd.DataFrame:
    """The edges with a farm of ``ACCOUNTS`` × ``SELLERS`` added; its buyer ids start with ``INJECTED``."""
    rng = np.random.default_rng(seed)
    popularity = edges["seller_id"].value_counts().sort_index()
    targets = rng.choice(popularity.index, SELLERS, replace=False)
    chance = {"random": None, "biased": popularity / popularity.sum()}
    pairs: list[tuple[str, str]] = []
    for number in range(ACCOUNTS):
        chosen = list(targets[rng.random(SELLERS) < density])
        if camouflage != "none":
            more = max(1, len(chosen))
            chosen += list(rng.choice(popularity.index, more, replace=False, p=chance[camouflage]))
        pairs += [(f"{INJECTED}{number}", seller) for seller in chosen]
    added = pd.DataFrame(pairs, columns=["buyer_id", "seller_id"])
    return pd.concat([edges, added], ignore_index=True).drop_duplicates(ignore_index=True)


def by_surprise(edges: pd.DataFrame) -> pd.DataFrame:
    """``cobuying`` (the surprise of co-buying, one's own and the neighbours') and ``blocks`` per buyer."""
    orders = edges.sort_values(["buyer_id", "seller_id"], ignore_index=True).assign(
        o=np.arange(len(edges)),
        created_at=datetime(2020, 1, 1),
        is_sample=False,
        is_replacement=False,
        is_exchange=False,
    )
    with duckdb.connect() as con:
        con.register("given", orders)
        create_macros(con)
        con.execute("""
            CREATE TABLE orders AS FROM given;
            CREATE TABLE products (seller_id VARCHAR, category VARCHAR);
            CREATE TABLE buyer_entity AS
            SELECT DISTINCT buyer_id, buyer_id AS entity_id, 1 AS entity_size FROM orders;
            CREATE TABLE entity_sellers AS
            SELECT buyer_id AS entity_id, seller_id, '' AS country, 1 AS accounts, count(*) AS orders
            FROM orders GROUP BY ALL
        """)
        graph.compute(con, datetime(2020, 1, 2))
        scores = con.execute("""
            SELECT buyer_id, max(coalesce(cobuy_surprise, 0) + cobuy_neighbours) AS cobuying,
                   max(block_surprise) AS blocks
            FROM orders JOIN f_graph USING (o) GROUP BY ALL ORDER BY buyer_id
        """).df()
    return scores.set_index("buyer_id")


def by_peeling(edges: pd.DataFrame) -> pd.Series:
    """Plain FRAUDAR: how late a buyer is peeled (0 first), which ranks the densest remainder first.

    The node with the least weight left goes next; an edge weighs ``1 / ln(d + 5)`` of its seller's degree.
    """
    buyer, buyers = pd.factorize(edges["buyer_id"])
    seller, sellers = pd.factorize(edges["seller_id"])
    weight = 1 / np.log(np.bincount(seller) + 5)[seller]
    place = dict.fromkeys(range(len(buyers)), 0)
    for position, node in enumerate(_peeled(buyer, seller + len(buyers), weight, len(buyers) + len(sellers))):
        if node in place:
            place[node] = position
    return pd.Series(place.values(), index=buyers, dtype=np.float64)


def _peeled(first: np.ndarray, second: np.ndarray, weight: np.ndarray, nodes: int) -> Iterator[int]:
    """Nodes in the order of greedy peeling; a stale entry of the heap is skipped when it comes up."""
    ties: list[list[tuple[int, float]]] = [[] for _ in range(nodes)]
    for a, b, w in zip(first.tolist(), second.tolist(), weight.tolist(), strict=True):
        ties[a].append((b, w))
        ties[b].append((a, w))
    left = [sum(w for _, w in mine) for mine in ties]
    heap = [(strength, node) for node, strength in enumerate(left)]
    heapq.heapify(heap)
    gone = [False] * nodes
    while heap:
        strength, node = heapq.heappop(heap)
        if gone[node] or strength > left[node]:
            continue
        gone[node] = True
        yield node
        for other, w in ties[node]:
            if not gone[other]:
                left[other] -= w
                heapq.heappush(heap, (left[other], other))


if __name__ == "__main__":
    typer.run(main)
