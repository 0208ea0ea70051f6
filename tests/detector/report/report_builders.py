"""A plausible scan: a few hundred orders, ten rings, sellers of every disposition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from detector.contract import CLAUSES
from detector.report.data import ReportData

START = datetime(2025, 3, 1)
CODES = (
    ("NUMBER_ON_MANY_ORDERS", "invalid_tracking"),
    ("CHECK_DIGIT_WRONG", "invalid_tracking"),
    ("DELIVERED_ELSEWHERE", "tracking_mismatch"),
    ("FASTER_THAN_FLIGHT", "tracking_mismatch"),
    ("SCANNED_BEFORE_ORDER", "tracking_mismatch"),
)


def a_reason(
    code: str = "SHARED_DEVICE",
    clause: str = "self_dealing",
    weight: float = 0.9,
    message: str = "The buyer uses the same device as the seller.",
) -> dict[str, Any]:
    return {"code": code, "clause": clause, "weight": weight, "message": message}


def an_order(order_id: str = "o1", **changes: Any) -> dict[str, Any]:
    clauses = {f"clause_{clause}": 0.0 for clause in CLAUSES}
    order: dict[str, Any] = {
        "order_id": order_id,
        "seller_id": "s1",
        "buyer_id": "b1",
        "score": 0.01,
        "decision": "allow",
        "anomaly_score": 0.5,
        "rule_score": 0.01,
        **clauses,
        "reasons": [],
        "ring_id": None,
        "created_at": START,
        "currency": "USD",
        "total_minor": 1999,
    }
    return order | changes


def a_seller(seller_id: str = "s1", **changes: Any) -> dict[str, Any]:
    seller: dict[str, Any] = {
        "seller_id": seller_id,
        "score": 0.02,
        "recommendation": "none",
        "disposition_hint": None,
        "order_count": 40,
        "suspected_order_count": 0,
        "gmv_minor": {"USD": 80_000},
        "suspected_gmv_minor": {},
        "clauses": [],
        "reasons": [],
    }
    return seller | changes


def a_ring(ring_id: str = "r1", **changes: Any) -> dict[str, Any]:
    ring: dict[str, Any] = {
        "ring_id": ring_id,
        "kind": "dense_block",
        "seller_ids": ["s1"],
        "buyer_ids": ["b1", "b2"],
        "creator_ids": [],
        "order_count": 9,
        "suspicion": 0.9,
        "first_order_at": START,
        "last_order_at": START + timedelta(days=9),
    }
    return ring | changes


def an_edge(ring_id: str = "r1", **changes: Any) -> dict[str, Any]:
    edge: dict[str, Any] = {
        "ring_id": ring_id,
        "buyer_id": "b1",
        "seller_id": "s1",
        "orders": 1,
        "score": 0.9,
    }
    return edge | changes


def an_anomaly(**changes: Any) -> dict[str, Any]:
    anomaly: dict[str, Any] = {
        "at": START,
        "code": "CHECK_DIGIT_WRONG",
        "clause": "invalid_tracking",
        "seller_id": "s1",
        "order_id": "o1",
    }
    return anomaly | changes


def a_manifest(**changes: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "package_version": "0.1.0",
        "engine": "duckdb 2.0.0",
        "as_of": "2025-05-30T00:00:00Z",
        "policy": {"version": "2025.1", "sha256": "ab" * 32},
        "orders_scored": 400,
        "model_bundle": "forest-20250530-6c1f",
        "files": [
            {"table": "orders", "path": "orders.parquet", "sha256": "0f" * 32, "rows": 405},
            {
                "table": "shipments",
                "path": "shipments/date=2025-03-01/a.csv.gz",
                "sha256": "1e" * 32,
                "rows": 380,
            },
        ],
        "tables": {
            "orders": {
                "rows_in": 405,
                "rows_kept": 400,
                "rows_rejected": 3,
                "rows_deduplicated": 2,
            },
            "shipments": {"rows_in": 380, "rows_kept": 380, "rows_rejected": 0, "rows_deduplicated": 0},
            "reviews": {"rows_in": 0, "rows_kept": 0, "rows_rejected": 0, "rows_deduplicated": 0},
        },
        "rejects": [
            {"table": "orders", "column": "currency", "reason": "the currency is not in ISO 4217", "rows": 2},
            {"table": "orders", "column": "total_minor", "reason": "the amount is negative", "rows": 1},
        ],
        "clauses_not_judged": {"2.1.e reviews": "the input has no table reviews"},
        "ignored_columns": {"orders": ["internal_note"]},
        "masked": {"orders.recipient_phone": 12},
        "notes": ["products.csv is empty: read as no rows of products"],
        "timings_seconds": {"ingest": 1.25, "features: tracking": 2.5, "score": 0.4},
        "peak_memory_mb": 512,
    }
    return manifest | changes


def frame(rows: list[dict[str, Any]], like: Mapping[str, Any]) -> pd.DataFrame:
    """A DataFrame with the columns of ``like``, typed also where there are no rows."""
    typed = pd.DataFrame([like])
    return pd.DataFrame(rows, columns=list(like)).astype(typed.dtypes) if rows else typed.iloc[:0]


def report_data(
    *,
    orders: list[dict[str, Any]] | None = None,
    sellers: list[dict[str, Any]] | None = None,
    rings: list[dict[str, Any]] | None = None,
    edges: list[dict[str, Any]] | None = None,
    anomalies: list[dict[str, Any]] | None = None,
    manifest: dict[str, Any] | None = None,
) -> ReportData:
    """A report of just these rows; what is not given is empty."""
    return ReportData(
        orders=frame(orders or [], an_order()),
        sellers=frame(sellers or [], a_seller()),
        rings=frame(rings or [], a_ring()),
        ring_edges=frame(edges or [], an_edge()),
        anomalies=frame(anomalies or [], an_anomaly()),
        manifest={} if manifest is None else manifest,
    )


def a_market(orders: int = 400, rings: int = 10, seed: int = 5) -> ReportData:
    """A whole market from a seed: most orders genuine, every ring one seller's or three sellers' work."""
    rng = np.random.default_rng(seed)
    ring_rows, edges, rows = [], [], []
    for ring in range(rings):
        sellers = [f"sh{7000 + 10 * ring + n}" for n in range(1 + 2 * (ring % 2))]
        buyers = [f"u{ring:02d}f{rng.integers(16**6):06x}" for _ in range(4 + 3 * ring)]
        pairs = [
            (b, s) for b in buyers for s in sellers if rng.random() < (1.0 if len(sellers) == 1 else 0.6)
        ]
        for buyer, seller in pairs:
            count, score = int(rng.integers(1, 7)), round(float(rng.beta(5, 2)), 3)
            edges.append(
                an_edge(f"ring_{ring:02d}", buyer_id=buyer, seller_id=seller, orders=count, score=score)
            )
        kind = ("dense_block", "identity", "lockstep", "consignment_point")[ring % 4]
        ring_rows.append(
            a_ring(
                f"ring_{ring:02d}",
                kind=kind,
                seller_ids=sellers,
                buyer_ids=buyers,
                creator_ids=["cr1"] if ring == 3 else [],
                order_count=sum(e["orders"] for e in edges if e["ring_id"] == f"ring_{ring:02d}"),
                suspicion=round(0.98 - 0.05 * ring, 3),
            )
        )
    for number in range(orders):
        rows.append(_market_order(rng, number, edges))
    sellers_rows = _market_sellers(rng, rows)
    anomalies = [
        an_anomaly(
            at=START + timedelta(days=float(rng.gamma(6, 8) % 90)),
            code=CODES[(pick := int(rng.choice(5, p=[0.4, 0.1, 0.3, 0.05, 0.15])))][0],
            clause=CODES[pick][1],
            seller_id=f"sh{rng.integers(7000, 7060)}",
        )
        for _ in range(orders // 2)
    ]
    return report_data(
        orders=rows,
        sellers=sellers_rows,
        rings=ring_rows,
        edges=edges,
        anomalies=anomalies,
        manifest=a_manifest(),
    )


def _market_order(rng: np.random.Generator, number: int, edges: list[dict[str, Any]]) -> dict[str, Any]:
    day = float(rng.uniform(0, 90))
    base = an_order(
        f"76560915{rng.integers(10**10):010d}",
        created_at=START + timedelta(days=day),
        currency=str(rng.choice(["USD", "GBP", "JPY"])),
        total_minor=int(rng.lognormal(7.5, 1)),
        clause_reviews=None,
        buyer_id=f"u{rng.integers(16**8):08x}",
        seller_id=f"sh{rng.integers(8000, 8050)}",
    )
    if rng.random() > 0.15:
        return base | {"score": round(float(rng.beta(1, 25)), 4)}
    edge = edges[int(rng.integers(len(edges)))]
    score = round(float(rng.uniform(0.5, 1)), 4)
    chosen = rng.choice([c for c in CLAUSES if c != "reviews"], size=2, replace=False)
    reasons = [
        a_reason(),
        a_reason(
            "DELIVERED_ELSEWHERE",
            str(chosen[0]),
            0.7,
            "The parcel was delivered 412 km from the address of the order, in another region.",
        ),
        a_reason(
            "SAME_ITEM_AGAIN", str(chosen[1]), 0.4, "The buyer's group bought this item 31 times in 7 days."
        ),
        a_reason("REFUND_AFTER_COMMISSION", "abuse", 0.3, "Refunded after the commission was paid."),
    ]
    return base | {
        "score": score,
        "decision": "hold" if score >= 0.8 else "review",
        "seller_id": edge["seller_id"],
        "buyer_id": edge["buyer_id"],
        "ring_id": edge["ring_id"],
        "reasons": reasons[: int(rng.integers(1, 5))],
        **{f"clause_{clause}": round(float(rng.uniform(0.2, 1)), 3) for clause in chosen},
    }


def _market_sellers(rng: np.random.Generator, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sellers = []
    for position, seller in enumerate(sorted({row["seller_id"] for row in rows})):
        mine = [row for row in rows if row["seller_id"] == seller]
        fakes = [row for row in mine if row["decision"] != "allow"]
        totals: dict[str, int] = {}
        for row in fakes:
            totals[row["currency"]] = totals.get(row["currency"], 0) + row["total_minor"]
        victim = bool(fakes) and position % 7 == 6
        others = int(rng.integers(0, 60))
        sellers.append(
            a_seller(
                seller,
                score=round(min(0.99, 0.3 + 0.1 * len(fakes)), 3) if fakes else 0.01,
                recommendation="none"
                if len(fakes) < 2 or victim
                else "open_case"
                if len(fakes) > 3
                else "watch",
                disposition_hint="possible_victim" if victim else "suspect" if fakes else None,
                order_count=len(mine) + others,
                suspected_order_count=len(fakes),
                suspected_gmv_minor=totals,
                clauses=sorted({reason["clause"] for row in fakes for reason in row["reasons"]}),
                reasons=fakes[0]["reasons"] if fakes else [],
            )
        )
    return sellers
