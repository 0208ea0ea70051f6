"""Rings: accounts, shops and parcel points behind suspected orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import networkx as nx
from fastapi import Query
from pydantic import BaseModel, Field

from api.parameters import Id
from api.routing import new_router
from api.scoring import Scoring

__all__ = ["router"]

router = new_router("rings")


class PairAnswer(BaseModel):
    """Orders of one buyer at one seller within the ring."""

    buyer_id: str
    seller_id: str
    order_count: int


class RingAnswer(BaseModel):
    """A row of ``rings.parquet``, and who bought where."""

    ring_id: str
    kind: Literal["identity", "dense_block", "lockstep", "consignment_point"]
    seller_ids: list[str]
    buyer_ids: list[str]
    creator_ids: list[str]
    order_count: int
    suspicion: float
    first_order_at: datetime
    last_order_at: datetime
    pairs: list[PairAnswer]


class NodeLinkAnswer(BaseModel):
    """The ring as ``networkx.node_link_graph`` reads it: buyers and sellers, an edge per pair."""

    directed: bool
    multigraph: bool
    graph: dict[str, Any]
    nodes: list[dict[str, Any]] = Field(description="id is kind:ID; account_id the account's own.")
    edges: list[dict[str, Any]]


@router.get("/v1/rings/{ring_id:path}")
def ring(
    ring_id: Id,
    service: Scoring,
    format: Annotated[Literal["json", "node_link"], Query(description="node_link: for networkx.")] = "json",
) -> RingAnswer | NodeLinkAnswer:
    """A ring of the last published scan."""
    facts, pairs = service.ring(ring_id)
    if format == "node_link":
        return NodeLinkAnswer.model_validate(_node_link(facts, pairs))
    return RingAnswer.model_validate({**facts, "pairs": pairs})


def _node_link(facts: Mapping[str, Any], pairs: Iterable[Mapping[str, Any]]) -> Any:
    graph: nx.Graph[str] = nx.Graph(
        ring_id=facts["ring_id"], kind=facts["kind"], suspicion=facts["suspicion"]
    )
    for kind in ("seller", "buyer", "creator"):
        for account_id in facts[f"{kind}_ids"]:
            graph.add_node(f"{kind}:{account_id}", kind=kind, account_id=account_id)
    for pair in pairs:
        buyer, seller = f"buyer:{pair['buyer_id']}", f"seller:{pair['seller_id']}"
        graph.add_edge(buyer, seller, order_count=pair["order_count"])
    return nx.node_link_data(graph, edges="edges")
