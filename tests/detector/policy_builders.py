"""Rules and detection sections with defaults."""

from __future__ import annotations

from typing import Any

from detector.contract import CLAUSES
from detector.policy.detection import Detection, Rule


def a_rule(code: str = "A_RULE", **changes: Any) -> Rule:
    """A hard rule of weight 0.5 that fires on a second order of the pair."""
    return Rule.model_validate(
        {
            "code": code,
            "clause": "self_dealing",
            "when": "pair_orders > 1",
            "strength": "hard",
            "weight": 0.5,
            "message": {"en": f"{code} fired.", "zh": f"{code} 命中。"},
        }
        | changes
    )


def a_detection(**fusion: Any) -> Detection:
    """Round numbers: review from 0.5, hold from 0.9, log-odds −4, and two nats per nat of evidence."""
    return Detection.model_validate(
        {
            "bands": {"review": 0.5, "hold": 0.9},
            "fusion": {
                "intercept": -4.0,
                "evidence_gain": 2.0,
                "collective_gain": 0.5,
                "soft_cap": 0.8,
                "family_floor": 0.2,
                "context": {"seller_context": 0.5},
                "anomaly_weight": 0.3,
                "explain_from": 0.2,
            }
            | fusion,
            "hallmark": {
                "side_share": 0.2,
                "weight": 0.25,
                "message": {clause: {"en": f"Marked by {clause}.", "zh": clause} for clause in CLAUSES},
            },
            "seller": {
                "watch_orders": 1.5,
                "case_orders": 2.0,
                "case_orders_alike": 4.0,
                "case_share": 0.02,
                "victim_orders": 5,
                "victim_share": 0.5,
                "victim_benefit_share": 0.1,
                "victim_gain_share": 0.4,
                "victim_burst": 0.7,
                "anomaly_weight": 0.4,
            },
        }
    )
