"""The numbers at the head of the report: what was scored, what is suspected, what could not be judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from detector.contract import CLAUSE_IDS, CLAUSES
from detector.money import format_money
from detector.report.data import ReportData, clause_evidence, is_suspected, ranked_sellers
from detector.report.wording import CLAUSE_TEXTS, DECISIONS, percent

__all__ = ["ClauseRow", "DecisionRow", "Summary", "clause_rows", "decision_rows", "money_lines", "summarize"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of the scan. ``open_case`` and ``watch`` leave the possible victims out."""

    orders: int
    suspected: int
    hold: int
    review: int
    sellers: int
    open_case: int
    watch: int
    unrecommended: int
    victims: int
    rings: int
    unjudged: int
    suspected_value: tuple[str, ...]
    first_order: str
    last_order: str

    @property
    def share(self) -> str:
        return percent(self.suspected, self.orders)


@dataclass(frozen=True, slots=True)
class DecisionRow:
    name: str
    orders: int
    share: str
    value: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClauseRow:
    """One policy clause. ``judged`` is the share of orders; ``why`` says what was missing, empty: nothing."""

    id: str
    name: str
    meaning: str
    judged: str
    strongest: int
    any_evidence: int
    why: str


def summarize(data: ReportData) -> Summary:
    """Count what the head of the report says."""
    orders, sellers = data.orders, data.sellers
    suspected = is_suspected(orders)
    decisions = orders["decision"].value_counts()
    recommended = ranked_sellers(sellers)["recommendation"].value_counts()
    victims = len(ranked_sellers(sellers, victims=True))
    with_suspected = int((sellers["suspected_order_count"] > 0).sum())
    times = orders["created_at"]
    return Summary(
        orders=len(orders),
        suspected=int(suspected.sum()),
        hold=int(decisions.get("hold", 0)),
        review=int(decisions.get("review", 0)),
        sellers=len(sellers),
        open_case=int(recommended.get("open_case", 0)),
        watch=int(recommended.get("watch", 0)),
        unrecommended=max(0, with_suspected - int(recommended.sum()) - victims),
        victims=victims,
        rings=len(data.rings),
        unjudged=sum(bool(row.why) for row in clause_rows(orders, data.manifest)),
        suspected_value=_value(orders[suspected]),
        first_order=f"{times.min():%d %b %Y}" if len(orders) else "",
        last_order=f"{times.max():%d %b %Y}" if len(orders) else "",
    )


def decision_rows(orders: pd.DataFrame) -> list[DecisionRow]:
    """Orders and value of each decision, the gravest first."""
    rows = []
    for decision, name in DECISIONS.items():
        chosen = orders[orders["decision"].eq(decision).fillna(False).astype(bool)]
        rows.append(DecisionRow(name, len(chosen), percent(len(chosen), len(orders)), _value(chosen)))
    return rows


def clause_rows(orders: pd.DataFrame, manifest: Mapping[str, Any]) -> list[ClauseRow]:
    """One row per policy clause: how many orders could be judged, how many suspected ones it bears on."""
    scores = orders[[f"clause_{clause}" for clause in CLAUSES]]
    judged = scores.notna().sum().tolist()
    strongest, evidence = clause_evidence(orders)
    reasons: Mapping[str, Any] = manifest.get("clauses_not_judged") or {}
    rows = []
    for place, clause in enumerate(CLAUSES):
        unknown = "the data it needs are not in the input" if len(orders) and not judged[place] else ""
        rows.append(
            ClauseRow(
                id=CLAUSE_IDS[clause],
                name=CLAUSE_TEXTS[clause].name,
                meaning=CLAUSE_TEXTS[clause].meaning,
                judged=percent(judged[place], len(orders)) if judged[place] else "none",
                strongest=int(strongest[place]),
                any_evidence=int(evidence[place]),
                why=str(reasons.get(f"{CLAUSE_IDS[clause]} {clause}", unknown)),
            )
        )
    return rows


def money_lines(
    amounts: Mapping[str, int] | Iterable[tuple[str, int]] | None, limit: int = 3
) -> tuple[str, ...]:
    """A map currency → amount (minor units) as lines, by currency; never summed across currencies."""
    pairs = dict(amounts or ())
    lines = [format_money(int(amount), currency) for currency, amount in sorted(pairs.items()) if amount]
    more = len(lines) - limit
    return tuple(lines) if more <= 1 else (*lines[:limit], f"and {more} more currencies")


def _value(orders: pd.DataFrame) -> tuple[str, ...]:
    known = orders[["currency", "total_minor"]].dropna()
    totals = known.groupby("currency", sort=True)["total_minor"].sum()
    return money_lines({str(currency): int(total) for currency, total in totals.items()}, limit=8)
