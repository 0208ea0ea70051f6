"""Dense blocks of a bipartite graph: the buyers and sellers who trade with each other more than their degrees
explain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.identity import component_labels

__all__ = ["MAX_SELLERS", "Block", "dense_blocks"]

MAX_SELLERS = 40
"""Entities that buy from more sellers are resellers or forwarders; their pairs say nothing."""

BLOCKS = 24
"""Dense blocks looked at in each country."""

PEEL_SHARE = 0.03
PEEL_SLOWLY = 5_000
"""A peeling round takes this share of the nodes at least; the last edges are peeled node by node."""


@dataclass(frozen=True, slots=True)
class Block:
    """A dense block: positions of its buyers and sellers, and its surprise per member (nats)."""

    buyers: np.ndarray
    sellers: np.ndarray
    surprise: float


def dense_blocks(
    buyer: np.ndarray, seller: np.ndarray, candidate: np.ndarray | None = None, limit: int = BLOCKS
) -> list[Block]:
    """Find several dense blocks of a bipartite graph, the densest first.

    Peels in rounds (Bahmani et al. 2012): the weakest nodes go together until none is left; the densest
    remainder's densest connected part is a core (equally dense rings peel together), and buyers with two
    edges into its sellers join it. The block's edges are taken out and the search goes on. A block is told
    if it has three buyers, two sellers and more edges than a graph with the same degrees would. An edge
    weighs ``1 / ln(d + 5)`` of its seller's degree, so that camouflage at popular sellers counts little
    (FRAUDAR). Buyers with one edge only are never part of a block.

    Parameters
    ----------
    buyer, seller
        Integer arrays of equal length, one distinct edge each: the whole graph, whose degrees are the null.
    candidate
        Boolean, same length: the edges that a block may hold; None allows all.
    limit
        Number of blocks looked at.
    """
    seller_degree, buyer_degree = np.bincount(seller, minlength=1), np.bincount(buyer, minlength=1)
    allowed = (buyer_degree >= 2)[buyer] & (buyer_degree <= MAX_SELLERS)[buyer]
    if candidate is not None:
        allowed &= candidate
    who, b = np.unique(buyer[allowed], return_inverse=True)
    where, s = np.unique(seller[allowed], return_inverse=True)
    weight = 1.0 / np.log(seller_degree[where] + 5.0)
    left = np.arange(len(b))
    blocks: list[Block] = []
    for _ in range(limit):
        if not len(left):
            break
        core = _densest_part(left[_densest(b[left], s[left], weight)], b, s, weight)
        members = _grown(core, left, b, s)
        buyers, sellers = who[np.unique(b[members])], where[np.unique(s[members])]
        surprise = _block_surprise(len(members), buyer_degree[buyers], seller_degree[sellers], len(buyer))
        if len(buyers) >= 3 and len(sellers) >= 2 and surprise >= 1.0:
            blocks.append(Block(buyers, sellers, surprise))
        left = np.setdiff1d(left, members, assume_unique=True)
    return blocks


def _densest_part(core: np.ndarray, buyer: np.ndarray, seller: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Edges of the connected part of ``core`` with the most weight per node."""
    b, s = buyer[core], seller[core]
    labels = component_labels(int(b.max()) + 1, b, s)
    part_of_seller = np.zeros(int(s.max()) + 1, dtype=np.int64)
    part_of_seller[s] = labels[b]
    nodes = np.bincount(np.concatenate([labels[np.unique(b)], part_of_seller[np.unique(s)]]))
    strength = np.bincount(labels[b], weight[s], minlength=len(nodes))
    densest: np.ndarray = core[labels[b] == np.argmax(strength / np.maximum(nodes, 1))]
    return densest


def _grown(core: np.ndarray, left: np.ndarray, buyer: np.ndarray, seller: np.ndarray) -> np.ndarray:
    """Edges of the block around a core: the buyers with two or more edges into the core's sellers."""
    inside = left[np.isin(seller[left], seller[core])]
    ties = np.bincount(buyer[inside])
    kept: np.ndarray = inside[ties[buyer[inside]] >= min(2, int(ties.max(initial=0)))]
    return kept


def _block_surprise(found: int, buyers: np.ndarray, sellers: np.ndarray, edges: int) -> float:
    """Log-likelihood ratio per member of the block's edges against a graph with the same degrees."""
    expected = max(float(buyers.sum()) * float(sellers.sum()) / edges, 1e-9)
    if found <= expected:
        return 0.0
    ratio = found * np.log(found / expected) - (found - expected)
    return round(float(ratio) / (len(buyers) + len(sellers)), 9)


def _densest(buyer: np.ndarray, seller: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Edge mask of the densest remainder met while peeling; density is weight per node.

    A round takes at least ``PEEL_SHARE`` of what is left, so a graph of n nodes is peeled in about
    ``ln(n) / PEEL_SHARE`` rounds; the last ``PEEL_SLOWLY`` edges go weakest first.
    """
    edge_weight = weight[seller]
    alive = np.arange(len(buyer))
    b, s = _compact(buyer), _compact(seller)
    best, best_density = alive, -1.0
    while len(alive):
        strength_b, strength_s = np.bincount(b, edge_weight[alive]), np.bincount(s, edge_weight[alive])
        strength = np.concatenate([strength_b[strength_b > 0], strength_s[strength_s > 0]])
        density = float(edge_weight[alive].sum()) / len(strength)
        if density > best_density + 1e-12:
            best, best_density = alive, density
        cut = max(1.05 * density, _weakest(strength, len(alive)))
        keep = (strength_b[b] > cut) & (strength_s[s] > cut)
        alive, b, s = alive[keep], b[keep], s[keep]
        if len(alive) * 2 < len(strength_b) + len(strength_s):
            b, s = _compact(b), _compact(s)
    mask = np.zeros(len(buyer), dtype=bool)
    mask[best] = True
    return mask


def _weakest(strength: np.ndarray, edges: int) -> float:
    """Up to which strength a round takes nodes at least."""
    if edges <= PEEL_SLOWLY:
        return float(strength.min())
    return float(np.partition(strength, int(len(strength) * PEEL_SHARE))[int(len(strength) * PEEL_SHARE)])


def _compact(nodes: np.ndarray) -> np.ndarray:
    """The same nodes numbered from 0 without gaps."""
    used = np.zeros(int(nodes.max(initial=-1)) + 1, dtype=np.int64)
    used[nodes] = 1
    numbered: np.ndarray = (np.cumsum(used) - 1)[nodes]
    return numbered
