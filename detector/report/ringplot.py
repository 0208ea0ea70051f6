"""Rings drawn as networks: who bought from whom."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from detector.report.data import ranked_rings, rows_of
from detector.report.style import BLUE, GREY, ORANGE, RED, finished, label, no_data
from detector.report.wording import RING_KINDS, from_code, plural, shortened

__all__ = ["ring_network"]

# Beyond this a drawing is a hairball and says no more; the strongest pairs stay.
_MAX_EDGES = 250
_LABELLED_SELLERS = 8
_SEED = 7
_EDGE_BANDS = ((0.8, 1.01, RED), (0.5, 0.8, ORANGE), (-0.01, 0.5, GREY))
Position = dict[tuple[str, str], tuple[float, float]]


def ring_network(rings: pd.DataFrame, ring_edges: pd.DataFrame, limit: int = 6) -> go.Figure:
    """The most suspicious rings as small networks: sellers are squares, buyers circles, a line is a pair.

    A line is wider the more orders it stands for, orange from score 0.5 and red from 0.8. Of a ring with
    more than 250 pairs the most suspicious are drawn. The layout is the same at every run.

    Parameters
    ----------
    rings : columns of ``rings.parquet``
    ring_edges : ring_id, buyer_id, seller_id, orders, score (0–1); a ring without edges is not drawn
    """
    title = "The most suspicious rings"
    drawn = ranked_rings(rings)
    drawn = drawn[drawn["ring_id"].isin(ring_edges["ring_id"])].head(limit)
    if drawn.empty:
        return no_data(title, "No ring was found.")
    columns = min(3, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    captions = [_caption(ring) for ring in rows_of(drawn)] if len(drawn) > 1 else None
    figure = make_subplots(
        rows, columns, subplot_titles=captions, horizontal_spacing=0.03, vertical_spacing=0.1
    )
    for place, ring in enumerate(rows_of(drawn)):
        edges = ring_edges[ring_edges["ring_id"] == ring.ring_id]
        for trace in _traces(_strongest(edges)):
            figure.add_trace(trace, row=place // columns + 1, col=place % columns + 1)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    text = "; ".join(_words(ring) for ring in rows_of(drawn)) + "."
    finished(figure, title, text, 300 * rows if len(drawn) > 1 else 320)
    figure.update_layout(showlegend=False, margin={"l": 8, "r": 8, "t": 64 if captions else 40, "b": 8})
    figure.update_annotations(font_size=12)
    return figure


def _words(ring: Any) -> str:
    """A row of the rings' table in words."""
    return (
        f"{RING_KINDS.get(ring.kind, from_code(ring.kind))}: {plural(len(ring.buyer_ids), 'buyer')}, "
        f"{plural(len(ring.seller_ids), 'seller')}, {plural(int(ring.order_count), 'order')}"
    )


def _caption(ring: Any) -> str:
    return label(shortened(str(ring.ring_id), 18)) + "<br>" + label(_words(ring))


def _strongest(edges: pd.DataFrame) -> pd.DataFrame:
    by = ["score", "orders", "buyer_id", "seller_id"]
    return edges.sort_values(by, ascending=[False, False, True, True]).head(_MAX_EDGES)


def _traces(edges: pd.DataFrame) -> list[go.Scatter]:
    at = _layout(edges)
    lines = [
        trace
        for low, high, colour in _EDGE_BANDS[::-1]
        for trace in _lines(edges[(edges["score"] >= low) & (edges["score"] < high)], at, colour)
    ]
    return [*lines, _nodes(edges, at, "buyer_id"), _nodes(edges, at, "seller_id")]


def _layout(edges: pd.DataFrame) -> Position:
    """Spring layout from a fixed seed; rounded, so that two machines draw the same."""
    graph: nx.Graph[tuple[str, str]] = nx.Graph()
    for row in rows_of(edges):
        graph.add_edge(("buyer_id", row.buyer_id), ("seller_id", row.seller_id))
    places = nx.spring_layout(graph, seed=_SEED, k=1.6 / math.sqrt(len(graph)), iterations=80, method="force")
    return {node: (round(float(x), 3), round(float(y), 3)) for node, (x, y) in places.items()}


def _lines(edges: pd.DataFrame, at: Position, colour: str) -> list[go.Scatter]:
    """One trace per width, as a trace has one."""
    traces = []
    widths = edges["orders"].map(lambda orders: 1.0 if orders < 2 else 2.0 if orders < 5 else 3.5)
    for width, chosen in edges.groupby(widths):
        x: list[float | None] = []
        y: list[float | None] = []
        for row in rows_of(chosen):
            (x0, y0), (x1, y1) = at["buyer_id", row.buyer_id], at["seller_id", row.seller_id]
            x += [x0, x1, None]
            y += [y0, y1, None]
        line = {"color": colour, "width": width}
        traces.append(go.Scatter(x=x, y=y, mode="lines", line=line, opacity=0.7, hoverinfo="skip"))
    return traces


def _nodes(edges: pd.DataFrame, at: Position, side: str) -> go.Scatter:
    seller = side == "seller_id"
    totals = edges.groupby(side)["orders"].sum().sort_index().sort_values(ascending=False, kind="stable")
    named = set(totals.index[:_LABELLED_SELLERS]) if seller else set()
    return go.Scatter(
        x=[at[side, node][0] for node in totals.index],
        y=[at[side, node][1] for node in totals.index],
        mode="markers+text",
        text=[label(shortened(str(node))) if node in named else "" for node in totals.index],
        textposition="top center",
        textfont={"size": 10},
        cliponaxis=False,
        customdata=[[label(node), int(orders)] for node, orders in totals.items()],
        hovertemplate=f"{'seller' if seller else 'buyer'} %{{customdata[0]}}<br>%{{customdata[1]:,}} orders"
        "<extra></extra>",
        marker={
            "symbol": "square" if seller else "circle",
            "size": [(11 if seller else 6) + min(8.0, 1.5 * math.log1p(int(n))) for n in totals],
            "color": BLUE if seller else GREY,
            "opacity": 1,
            "line": {"width": 0},
        },
    )
