"""The figures of a scan, built once: the report, the notebooks and the console show the same ones.

Each function takes the scan's tables (``ReportData``) and returns a plotly figure of aggregates, at most a
few thousand marks whatever the number of orders. ``figure.layout.meta["description"]`` is the text
alternative; a figure without traces says in words that there is nothing to draw.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from detector.contract import CLAUSES
from detector.report.data import clause_evidence, is_suspected, ranked_sellers, rows_of
from detector.report.ringplot import ring_network
from detector.report.style import (
    BLUE,
    DECISION_COLOURS,
    GREY,
    ORANGE,
    PALE,
    RED,
    TEAL,
    finished,
    label,
    no_data,
)
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
_MAX_DAYS = 400


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


def orders_by_day(orders: pd.DataFrame) -> go.Figure:
    """Orders per day (per week beyond 400 days), the suspected ones marked, and their share below.

    Parameters
    ----------
    orders : columns created_at (naive UTC), decision
    """
    if orders.empty:
        return no_data("Orders by day", "No order was scored.")
    day, unit = _time_steps(orders["created_at"])
    daily = pd.DataFrame({"day": day, "suspected": is_suspected(orders)}).groupby("day")["suspected"]
    totals = daily.agg(["size", "sum"])
    totals = totals.reindex(
        pd.date_range(totals.index[0], totals.index[-1], freq="7D" if unit == "week" else "D")
    )
    size, suspected = totals["size"].fillna(0), totals["sum"].fillna(0)
    share = (100 * suspected / size.where(size > 0)).round(3)
    x = [step.date().isoformat() for step in totals.index]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.65, 0.35], vertical_spacing=0.08)
    for name, values, colour in (("Suspected", suspected, RED), ("Others", size - suspected, GREY)):
        hover = f"%{{x|%d %b %Y}}<br>%{{y:,}} {name.lower()}<extra></extra>"
        figure.add_bar(
            x=x,
            y=values.astype(int).tolist(),
            name=name,
            marker_color=colour,
            hovertemplate=hover,
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=x,
        y=[None if np.isnan(value) else value for value in share.tolist()],
        mode="lines+markers" if len(x) == 1 else "lines",
        name="Suspected share",
        showlegend=False,
        line={"color": RED, "width": 1.5},
        hovertemplate="%{x|%d %b %Y}<br>%{y:.1f} % suspected<extra></extra>",
        row=2,
        col=1,
    )
    worst = int(suspected.argmax())
    text = (
        f"{plural(len(orders), 'order')} from {x[0]} to {x[-1]}; most suspected in a {unit}: "
        f"{suspected.iloc[worst]:,.0f} of {size.iloc[worst]:,.0f}, {x[worst]}."
    )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title_text="orders", tickformat=",", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="suspected", ticksuffix=" %", rangemode="tozero", row=2, col=1)
    return finished(figure, f"Orders by {unit}, and how many are suspected", text, 380)


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
    facts = [f"{name} {plural(int(n), 'order')}" for name, n in zip(names, evidence, strict=True)]
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


def tracking_timeline(anomalies: pd.DataFrame, limit: int = 10) -> go.Figure:
    """Tracking anomalies by kind and day (week beyond 400 days): a mark each, its area the count.

    Kinds beyond the ``limit`` most frequent are one line, 'Other kinds'.

    Parameters
    ----------
    anomalies : columns at (null is left out), code, clause, seller_id
    """
    title = "Tracking anomalies over time"
    known = anomalies.dropna(subset=["at", "code"])
    if known.empty:
        return no_data(title, "No tracking anomaly was found.")
    day, unit = _time_steps(known["at"])
    order = known["code"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    kept = list(order.index[:limit])
    kind = known["code"].where(known["code"].isin(kept), "OTHER_KINDS")
    table = pd.DataFrame({"day": day, "kind": kind, "clause": known["clause"], "seller": known["seller_id"]})
    marks = (
        table.groupby(["kind", "day"], sort=True)
        .agg(count=("clause", "size"), sellers=("seller", "nunique"), clause=("clause", "first"))
        .reset_index()
    )
    largest = int(marks["count"].max())
    figure = go.Figure()
    for clause, colour in (("invalid_tracking", ORANGE), ("tracking_mismatch", BLUE), (None, TEAL)):
        named = marks["clause"].isin(["invalid_tracking", "tracking_mismatch"])
        mine = marks[marks["clause"].eq(clause) if clause else ~named]
        if len(mine):
            figure.add_scatter(
                **_bubbles(mine, largest), name=clause_name(clause or "other"), marker_color=colour
            )
    names = [label(from_code(code)) for code in [*kept, *(["OTHER_KINDS"] if len(order) > limit else [])]]
    text = (
        f"{plural(len(known), 'anomaly', 'anomalies')} of {plural(len(order), 'kind')}; most frequent: "
        f"{from_code(str(order.index[0]))} ({order.iloc[0]:,}); at most {largest:,} of one kind in a {unit}."
    )
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    figure.update_xaxes(type="date")
    return finished(figure, title, text, 140 + 28 * len(names))


def _bubbles(marks: pd.DataFrame, largest: int) -> dict[str, object]:
    return {
        "x": [step.date().isoformat() for step in marks["day"]],
        "y": [label(from_code(code)) for code in marks["kind"]],
        "customdata": marks[["count", "sellers"]].to_numpy().tolist(),
        "mode": "markers",
        "marker": {
            "size": marks["count"].tolist(),
            "sizemode": "area",
            "sizeref": 2 * largest / 22**2,
            "sizemin": 2.5,
            "opacity": 0.75,
            "line": {"width": 0},
        },
        "hovertemplate": "%{y}, %{x|%d %b %Y}<br>%{customdata[0]:,} anomalies of %{customdata[1]:,} sellers"
        "<extra></extra>",
    }


def _time_steps(times: pd.Series[pd.Timestamp]) -> tuple[pd.Series[pd.Timestamp], str]:
    """Each instant's day, or the Monday of its week where the days are too many; and which of the two."""
    days = times.dt.floor("D")
    if (days.max() - days.min()).days <= _MAX_DAYS:
        return days, "day"
    return days - pd.to_timedelta(days.dt.day_of_week, unit="D"), "week"
