"""The buyer–seller graph of a few orders as a networkx graph, for people and layouts."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd

__all__ = ["ring_graph"]


def ring_graph(orders: pd.DataFrame) -> nx.Graph[tuple[str, str]]:
    """The buyer–seller graph of some orders, for people and layouts.

    Parameters
    ----------
    orders
        Columns ``buyer_id``, ``seller_id``; optional ``score`` (0–1, higher is more suspicious).

    Returns
    -------
    networkx.Graph
        Nodes ``("buyer", id)`` and ``("seller", id)`` with attribute ``kind``; edges with ``orders`` (count)
        and ``score`` (the highest).
    """
    scored = orders if "score" in orders else orders.assign(score=np.nan)
    edges = scored.groupby(["buyer_id", "seller_id"], sort=True)["score"].agg(["size", "max"]).reset_index()
    graph: nx.Graph[tuple[str, str]] = nx.Graph()
    for row in edges.to_dict("records"):
        buyer, seller = ("buyer", str(row["buyer_id"])), ("seller", str(row["seller_id"]))
        graph.add_node(buyer, kind="buyer")
        graph.add_node(seller, kind="seller")
        graph.add_edge(buyer, seller, orders=int(row["size"]), score=float(row["max"]))
    return graph
