"""What the command line says at the end of a scan or an evaluation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from detector.evaluate import Evaluation
from detector.job import Outcome

__all__ = ["print_evaluation", "print_outcome"]

WORST_SELLERS = 8


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Orders, suspected, rings, the worst sellers with their reasons, and what could not be judged."""
    decisions = outcome.orders["decision"].value_counts()
    review, hold = int(decisions.get("review", 0)), int(decisions.get("hold", 0))
    cases = int((outcome.sellers["recommendation"] == "open_case").sum())
    victims = int((outcome.sellers["disposition_hint"] == "possible_victim").sum())
    lines = [
        f"{len(outcome.orders):,} orders scored: {review + hold:,} suspected "
        f"({review:,} to review, {hold:,} to hold)",
        f"{len(outcome.rings):,} rings; {cases:,} sellers to open a case on; {victims:,} possible victims",
    ]
    if outcome.rejected:
        lines.append(f"{outcome.rejected:,} rows rejected: see rejects.parquet")
    lines += [f"not judged: {clause}: {why}" for clause, why in outcome.not_judged.items()]
    lines += outcome.notes
    worst = outcome.sellers[outcome.sellers["recommendation"] != "none"].head(WORST_SELLERS)
    lines += ["worst sellers:", *(_seller(row) for row in worst.to_dict("records"))] if len(worst) else []
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _seller(row: Mapping[Hashable, Any]) -> str:
    victim = " (possible victim)" if row["disposition_hint"] == "possible_victim" else ""
    reasons = row["reasons"]
    why = f"\n      {reasons[0]['message']}" if len(reasons) else ""
    return (
        f"  {row['seller_id']}  score {row['score']:.2f}, {row['suspected_order_count']} of "
        f"{row['order_count']} orders suspected: {row['recommendation']}{victim}{why}"
    )


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Every figure of an evaluation, as tables."""
    for title, figures in (("orders", evaluation.orders), ("sellers", evaluation.sellers)):
        if figures:
            table = Table(title, "value")
            for name, value in figures.items():
                table.add_row(name.replace("_", " "), f"{value:,.0f}" if value > 1 else f"{value:.4f}")
            console.print(table)
    named = {"attacks": evaluation.attacks, "look-alike groups": evaluation.groups, **evaluation.splits}
    for title, frame in named.items():
        if len(frame):
            console.print(_frame(title, frame))


def _frame(title: str, frame: pd.DataFrame) -> Table:
    table = Table(title=title)
    for position, column in enumerate(frame.columns):
        table.add_column(column.replace("_", " "), no_wrap=position == 0)
    for row in frame.itertuples(index=False):
        table.add_row(*[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row])
    return table
