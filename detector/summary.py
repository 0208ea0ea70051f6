"""What the command line says at the end of a scan or an evaluation."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.table import Table

from detector.evaluate import Evaluation
from detector.job import Outcome
from detector.scoring import ALLOW

__all__ = ["print_evaluation", "print_outcome"]

WORST_SELLERS = 8


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Orders, suspected, rings, the worst sellers with their reasons, and what could not be judged."""
    orders, sellers = outcome.orders, outcome.sellers
    decisions = orders["decision"].value_counts()
    suspected = int((orders["decision"] != ALLOW).sum())
    console.print(
        f"{len(orders):,} orders scored: {suspected:,} suspected "
        f"({decisions.get('review', 0):,} to review, {decisions.get('hold', 0):,} to hold), "
        f"{len(outcome.rings):,} rings, {int((sellers['recommendation'] == 'open_case').sum()):,} sellers to open "
        f"a case on, {int((sellers['disposition_hint'] == 'possible_victim').sum()):,} possible victims",
        highlight=False,
        soft_wrap=True,
    )
    if outcome.rejected:
        console.print(f"{outcome.rejected:,} rows rejected; see rejects.parquet", highlight=False)
    for clause, why in outcome.not_judged.items():
        console.print(f"not judged: {clause}: {why}", highlight=False, soft_wrap=True)
    worst = sellers[sellers["recommendation"] != "none"].head(WORST_SELLERS)
    if len(worst):
        console.print(_sellers(worst))


def _sellers(worst: pd.DataFrame) -> Table:
    table = Table("seller", "score", "suspected", "recommended", "strongest reason", title="Worst sellers")
    for row in worst.to_dict("records"):
        reason = row["reasons"][0]["message"] if len(row["reasons"]) else ""
        hint = " (possible victim)" if row["disposition_hint"] == "possible_victim" else ""
        counts = f"{row['suspected_order_count']} of {row['order_count']}"
        table.add_row(row["seller_id"], f"{row['score']:.2f}", counts, row["recommendation"] + hint, reason)
    return table


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Every figure of an evaluation, as tables."""
    for title, figures in (("orders", evaluation.orders), ("sellers", evaluation.sellers)):
        if figures:
            table = Table(title, "value")
            for name, value in figures.items():
                table.add_row(name.replace("_", " "), f"{value:,.0f}" if value > 1 else f"{value:.4f}")
            console.print(table)
    for title, frame in (("attacks", evaluation.attacks), ("look-alike groups", evaluation.groups)):
        if len(frame):
            console.print(_frame(title, frame))


def _frame(title: str, frame: pd.DataFrame) -> Table:
    table = Table(*[column.replace("_", " ") for column in frame.columns], title=title)
    for row in frame.itertuples(index=False):
        table.add_row(*[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row])
    return table
