"""What a report is made of: the tables that a scan writes, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.contract import CLAUSES

__all__ = [
    "ReportData",
    "as_list",
    "clause_evidence",
    "is_suspected",
    "ranked_rings",
    "ranked_sellers",
    "rows_of",
]


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything the report shows. The tables have the columns of the data contract's outputs.

    Attributes
    ----------
    orders
        ``orders.parquet`` and created_at (naive UTC), currency, total_minor (minor unit, null: unknown).
        ``reasons``: per row a list of dicts code, clause, weight, message, strongest first, or null.
    sellers
        ``sellers.parquet``; ``gmv_minor`` and ``suspected_gmv_minor`` are dicts currency → amount.
    rings
        ``rings.parquet``.
    ring_edges
        ring_id, buyer_id, seller_id, orders (count), score (0–1, higher is more suspicious): the buyer–seller
        pairs of the top rings.
    anomalies
        Tracking anomalies: at (timestamp, null: unknown), code, clause, seller_id, order_id.
    manifest
        ``manifest.json``. Read here, each of them optional: package_version, engine, as_of (ISO text),
        orders_scored, policy {version, sha256}, model_bundle (id), files [{table, path, sha256, rows}],
        tables {name: {rows_in, rows_kept, rows_rejected, rows_deduplicated}}, rejects [{table, column,
        reason, rows}], clauses_not_judged {"2.1.e reviews": why}, ignored_columns {table: [column]}, masked
        {table.column: count}, notes [sentence], timings_seconds {stage: seconds}, peak_memory_mb.
    """

    orders: pd.DataFrame
    sellers: pd.DataFrame
    rings: pd.DataFrame
    ring_edges: pd.DataFrame
    anomalies: pd.DataFrame
    manifest: Mapping[str, Any]


def is_suspected(orders: pd.DataFrame) -> pd.Series[bool]:
    """Whether an order is suspected: its decision is review or hold."""
    return orders["decision"].ne("allow").fillna(False).astype(bool)


def clause_evidence(orders: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per clause, in the contract's order: suspected orders it is the strongest clause of, and those with any
    evidence of it (score above 0). Of equally strong clauses the first counts as the strongest.
    """
    columns = [f"clause_{clause}" for clause in CLAUSES]
    scores = np.nan_to_num(orders.loc[is_suspected(orders), columns].to_numpy(dtype=float, na_value=np.nan))
    some = scores[(scores > 0).any(axis=1)]
    return np.bincount(some.argmax(axis=1), minlength=len(CLAUSES)), (scores > 0).sum(axis=0)


def ranked_sellers(sellers: pd.DataFrame, *, victims: bool = False) -> pd.DataFrame:
    """Sellers that something is recommended for, a case first, then by score; or the possible victims.

    A possible victim is never among the suspected sellers, whatever is recommended.
    """
    victim = sellers["disposition_hint"].eq("possible_victim").fillna(False).astype(bool)
    urgency = sellers["recommendation"].map({"open_case": 2, "watch": 1}).fillna(0).astype(int)
    chosen = sellers.assign(_urgency=urgency)[victim if victims else ~victim & (urgency > 0)]
    by = ["_urgency", "score", "suspected_order_count", "seller_id"]
    return chosen.sort_values(by, ascending=[False, False, False, True]).drop(columns="_urgency")


def ranked_rings(rings: pd.DataFrame) -> pd.DataFrame:
    """Rings, the most suspicious first; the larger first where equal."""
    by = ["suspicion", "order_count", "ring_id"]
    return rings.sort_values(by, ascending=[False, False, True])


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table of rings, sellers or orders, cells as attributes."""
    return frame.itertuples(index=False)


def as_list(value: object) -> list[Any]:
    """A cell that holds a list (or a numpy array, as Parquet gives it) as a list; null is an empty one."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
