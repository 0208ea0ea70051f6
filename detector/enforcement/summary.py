"""The state as a text that a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["summarise"]

View = Mapping[str, Any]


def summarise(view: View) -> str:
    """Sellers with what is in force and their balances, then cases, violations, holds, and the refusals."""
    blocks = [
        [f"State as of {view['as_of']}, policy {view['policy']['version']}"],
        *(list(_seller(name, seller)) for name, seller in sorted(view["sellers"].items())),
        _table("Cases", [_case_row(*item) for item in sorted(view["cases"].items())]),
        _table("Violations", [_violation_row(*item) for item in sorted(view["violations"].items())]),
        _table("Holds", [_hold_row(*item) for item in sorted(view["holds"].items())]),
        _table("Notices", [_notice_row(notice) for notice in view["notices"]]),
        _ledger(view["ledger"]),
        _table("Refused", [_refused_row(refusal) for refusal in view["refused"]]),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _table(title: str, rows: list[list[str]]) -> list[str]:
    """Rows in columns as wide as their widest cell; nothing when there are no rows."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [title, *(f"  {line}".rstrip() for line in padded)]


def _seller(name: str, seller: View) -> Iterator[str]:
    standing = seller["standing"]
    yield f"Seller {name}: {standing['occurrences']} upheld violations, {standing['points']} points"
    rows = [
        [
            phase.replace("_", " "),
            m["measure"],
            m["violation_id"],
            f"{m['from'] or '-'} to {m['until'] or '-'}",
        ]
        for phase in ("in_force", "scheduled", "proposed")
        for m in seller[f"measures_{phase}"]
    ]
    yield from _table("  Measures", [["  " + row[0], *row[1:]] for row in rows])
    rows = [
        ["  " + currency, *(f"{account} {amount}" for account, amount in balances.items())]
        for currency, balances in sorted(seller["balances"].items())
    ]
    yield from _table("  Balances (minor units)", rows)


def _case_row(name: str, case: View) -> list[str]:
    return [name, case["outcome"] or case["state"], f"investigation {case['investigation']}"]


def _violation_row(name: str, violation: View) -> list[str]:
    appeals = ", ".join(f"{a['appeal_id']} {a['state']}" for a in violation["appeals"])
    return [
        name,
        violation["severity"],
        f"occurrence {violation['occurrence']}",
        violation["state"],
        f"appeal until {violation['appeal_until'] or '-'}",
        f"appeals: {appeals or 'none'}",
        "needs re-assessment" if violation["needs_reassessment"] else "",
    ]


def _hold_row(name: str, hold: View) -> list[str]:
    amounts = ", ".join(f"{currency} {amount}" for currency, amount in sorted(hold["amount_minor"].items()))
    waits = ", ".join(hold["waiting_for"]) or "-"
    return [
        name,
        hold["state"],
        amounts or "-",
        f"term ends {hold['term_ends_at'] or f'after {waits}'}",
    ]


def _notice_row(notice: View) -> list[str]:
    return [notice["at"], notice["seller_id"], notice["kind"], notice["violation_id"] or "-"]


def _ledger(ledger: View) -> list[str]:
    sums = ", ".join(f"{currency} {amount}" for currency, amount in sorted(ledger["sum_by_currency"].items()))
    return [f"Ledger: {ledger['entries']} entries, sums {sums or '-'}"]


def _refused_row(refusal: View) -> list[str]:
    return [f"line {refusal['line']}", refusal["error"], refusal["detail"]]
