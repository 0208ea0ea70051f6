"""One look for every figure: calm, on the page's own background, readable on light and on dark."""

from __future__ import annotations

import html

import plotly.graph_objects as go

__all__ = [
    "BLUE",
    "DECISION_COLOURS",
    "GREY",
    "ORANGE",
    "PALE",
    "RED",
    "TEAL",
    "finished",
    "label",
    "no_data",
]

# Every solid colour keeps 3:1 against white and against the report's dark cards (#1a2028).
GREY, PALE, BLUE, TEAL, ORANGE, RED = (
    "#7f8a99",
    "rgba(63, 127, 207, 0.4)",
    "#3f7fcf",
    "#1f9183",
    "#c27a12",
    "#d14b57",
)
DECISION_COLOURS = {"allow": GREY, "review": ORANGE, "hold": RED}
_TEXT, _LINE = "#2b3440", "rgba(127, 138, 153, 0.25)"


def finished(figure: go.Figure, title: str, description: str, height: int) -> go.Figure:
    """Give a figure its title, its look and its text alternative (``layout.meta["description"]``)."""
    figure.update_layout(
        template="none",
        title={"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 16}},
        meta={"description": description},
        height=height,
        margin={"l": 56, "r": 16, "t": 76, "b": 48},  # the title, and the legend under it
        font={
            "family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
            "size": 12,
            "color": _TEXT,
        },
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
            "itemsizing": "constant",
        },
        hoverlabel={"align": "left"},
        showlegend=True,
        bargap=0.15,
    )
    axis = {"gridcolor": _LINE, "zeroline": False, "linecolor": _LINE, "automargin": True}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def no_data(title: str, sentence: str) -> go.Figure:
    """A figure without traces that says why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(text=label(sentence), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return finished(figure, title, sentence, 160)


def label(text: object) -> str:
    """Foreign text for a figure: plotly reads a little HTML in labels, so it is escaped."""
    return html.escape(str(text))
