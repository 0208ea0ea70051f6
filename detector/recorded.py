"""Which features a decision is made on and kept with."""

from __future__ import annotations

from detector.scoring import Scorer
from features.catalog import CATALOG
from features.velocity import AGGREGATES
from models.measures import ANOMALY_FEATURES

__all__ = ["SELLER_SIZE", "recorded_features", "snapshot_features"]

SELLER_SIZE = "seller_size"
"""How large the shop was at the last scan: no feature, but what the forest compares within."""


def recorded_features(scorer: Scorer) -> tuple[str, ...]:
    """All that scoring reads, and every trailing window: an investigator asks for those first."""
    read = {*scorer.inputs, *(measure.name for measure in ANOMALY_FEATURES)}
    return tuple(sorted(read | {aggregate.name for aggregate in AGGREGATES}))


def snapshot_features(scorer: Scorer) -> tuple[str, ...]:
    """The recorded features that only a scan computes."""
    return tuple(name for name in recorded_features(scorer) if CATALOG[name].kind == "snapshot")
