"""The figures of a scan, built once: the report, the notebooks and the console show the same ones.

Each function takes the scan's tables (``ReportData``) and returns a plotly figure of aggregates, at most a
few thousand marks whatever the number of orders. ``figure.layout.meta["description"]`` is the text
alternative; a figure without traces says in words that there is nothing to draw.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from detector.contract import CLAUSES
from detector.report.data import clause_evidence, is_suspected, ranked_sellers, rows_of
from detector.report.ringplot import ring_network
from detector.report.style import (
    BLUE,
    DECISION_COLOURS,
    ORANGE,
    PALE,
    RED,
    finished,
    label,
    no_data,
)
from detector.report.timelines import orders_by_day, tracking_timeline
from detector.report.wording import RECOMMENDATIONS, clause_name, from_code, percent, plural, shortened

__all__ = [
    "clauses",
    "orders_by_day",
    "ring_network",
    "score_distribution",
    "top_sellers",
    "tracking_timeline",
]

_SCORE_BINS = 50


def score_distribution(orders: pd.DataFrame) -> go.Figure:
    """Orders by score (0–1, higher is more suspicious), in 50 bins, stacked by decision, on a log axis.

    Parameters
    ----------
    orders : columns score (null is left out), decision
    """
    title = "Orders by score"
    known = orders[["score", "decision"]].dropna()
    if known.empty:
        return no_data(title, "No order was scored.")
    edges = np.linspace(0.0, 1.0, _SCORE_BINS + 1)
    middles = np.round((edges[:-1] + edges[1:]) / 2, 4).tolist()
    figure = go.Figure()
    for decision, colour in DECISION_COLOURS.items():
        chosen = known.loc[known["decision"] == decision, "score"].to_numpy(dtype=float)
        if len(chosen):
            counts = np.histogram(chosen, edges)[0].tolist()
            hover = f"score about %{{x:.2f}}<br>%{{y:,}} orders: {decision}<extra></extra>"
            figure.add_bar(
                x=middles, y=counts, name=from_code(decision), marker_color=colour, hovertemplate=hover
            )
    suspected = int(is_suspected(known).sum())
    text = f"{plural(len(known), 'order')}; {plural(suspected, 'is', 'are')} suspected (review or hold)."
    top = float(np.log10(max(10, len(known)))) + 0.1
    figure.update_layout(barmode="stack", bargap=0.05)
    figure.update_xaxes(title_text="score (higher is more suspicious)", range=[0, 1])
    # A bar of one order must be seen on the log axis, so the axis begins below one.
    figure.update_yaxes(
        title_text="orders (log scale)", type="log", range=[-0.3, top], dtick=1, tickformat=","
    )
    return finished(figure, title, text, 320)


def clauses(orders: pd.DataFrame) -> go.Figure:
    """Suspected orders with evidence of each policy clause: as the strongest, or beside a stronger one.

    Parameters
    ----------
    orders : columns decision, clause_… (0–1, null: not judged)
    """
    title = "Suspected orders by policy clause"
    if not is_suspected(orders).any():
        return no_data(title, "No order is suspected.")
    strongest, evidence = clause_evidence(orders)
    beside = evidence - strongest
    unjudged = [bool(orders[f"clause_{clause}"].isna().all()) for clause in CLAUSES]
    names = [
        clause_name(clause) + (" – not judged" if off else "")
        for clause, off in zip(CLAUSES, unjudged, strict=True)
    ]
    figure = go.Figure()
    for name, values, colour in (("Strongest clause", strongest, BLUE), ("Beside a stronger", beside, PALE)):
        hover = f"%{{y}}<br>%{{x:,}} orders, {name.lower()}<extra></extra>"
        figure.add_bar(
            x=values.tolist(), y=names, orientation="h", name=name, marker_color=colour, hovertemplate=hover
        )
    facts = [
        name if off else f"{name} {plural(int(n), 'order')}"
        for name, n, off in zip(names, evidence, unjudged, strict=True)
    ]
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title_text="suspected orders", tickformat=",", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return finished(figure, title, "Evidence among suspected orders: " + ", ".join(facts) + ".", 320)


def top_sellers(sellers: pd.DataFrame, limit: int = 15) -> go.Figure:
    """The suspected sellers with the most suspected orders, coloured by what is recommended.

    Possible victims and sellers that nothing is recommended for are not in it.

    Parameters
    ----------
    sellers : columns of ``sellers.parquet``
    """
    title = "Suspected sellers with the most suspected orders"
    chosen = ranked_sellers(sellers).sort_values("suspected_order_count", ascending=False, kind="stable")
    chosen = chosen.head(limit)
    if chosen.empty:
        return no_data(title, "No seller is recommended for watching or a case.")
    names = [label(seller) for seller in chosen["seller_id"]]
    figure = go.Figure()
    for recommendation, colour in (("open_case", RED), ("watch", ORANGE)):
        mine = (chosen["recommendation"] == recommendation).tolist()
        rows = [row for row, use in zip(rows_of(chosen), mine, strict=True) if use]
        shares = [
            f"{percent(row.suspected_order_count, row.order_count)} of {row.order_count:,}" for row in rows
        ]
        figure.add_bar(
            x=[int(row.suspected_order_count) for row in rows],
            y=[label(row.seller_id) for row in rows],
            text=shares,
            textposition="auto",
            orientation="h",
            name=RECOMMENDATIONS[recommendation],
            marker_color=colour,
            hovertemplate="%{y}<br>%{x:,} suspected orders, %{text}<extra></extra>",
        )
    worst = chosen.iloc[0]
    text = (
        f"{plural(len(chosen), 'seller')}; most suspected orders: {worst['seller_id']} with "
        f"{worst['suspected_order_count']:,} of {worst['order_count']:,}."
    )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title_text="suspected orders", tickformat=",", rangemode="tozero")
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=names[::-1],
        tickvals=names,
        ticktext=[label(shortened(str(seller), 18)) for seller in chosen["seller_id"]],
        showgrid=False,
    )
    return finished(figure, title, text, 130 + 24 * len(chosen))
