"""Rings: accounts, shops and parcel points behind suspected orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import networkx as nx
from fastapi import Query

from api.answers import NodeLinkAnswer, RingAnswer
from api.parameters import Id
from api.routing import new_router
from api.scoring import Scoring

__all__ = ["router"]

router = new_router("rings")


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
