"""Figures over time: orders by day, tracking anomalies by kind and day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from detector.report.data import is_suspected
from detector.report.style import BLUE, GREY, ORANGE, RED, TEAL, finished, label, no_data
from detector.report.wording import clause_name, from_code, plural

__all__ = ["orders_by_day", "tracking_timeline"]

_MAX_DAYS = 400


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
