"""Which features the forests look at, and how each becomes comparable between markets.

Chosen from the catalog for speaking to one clause and being a residual already (a surprise against a null, a
share, an age, a gap). A seller's volume is in none of them: a forest over volumes finds the big and the new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["high", "low", "both"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One feature as the forest sees it.

    Attributes
    ----------
    name
        Column name.
    floor
        Least scale, in the feature's unit (after the logarithm where ``log``). Most surprises are 0 for
        nearly everyone, so that the interquartile range is 0 and cannot scale them.
    log
        Heavy tail: ``sign(x) · log(1 + |x|)`` replaces x.
    side
        Which deviations count. An account of ten years is as rare as one of an hour and not suspect at all:
        ``low`` keeps what is below its group's median, ``high`` what is above, ``both`` all.
    """

    name: str
    floor: float
    log: bool = False
    side: Side = "high"


ANOMALY_FEATURES: tuple[Measure, ...] = (
    # who is who (2.1.a)
    Measure("entity_focus", 0.5, log=True),
    Measure("hub_focus", 0.5, log=True),
    Measure("entity_seller_share", 0.2),
    Measure("buyer_age_days", 0.5, log=True, side="low"),
    Measure("cohort_focus", 0.5, log=True),
    # tracking (2.1.b, c): powers of ten
    Measure("destination_surprise", 0.5),
    Measure("light_parcel_surprise", 0.5),
    Measure("few_scans_surprise", 0.5),
    # repeat and gang buying (2.1.d)
    Measure("same_product_excess", 0.5, log=True),
    Measure("pair_gap_hours", 0.5, log=True, side="low"),
    Measure("cobuy_surprise", 0.5, log=True),
    Measure("lockstep_partners", 0.3, log=True),
    # reviews (2.1.e)
    Measure("review_copy_surprise", 0.5),
    Measure("review_topic_mismatch_bits", 1.0),
    Measure("review_rating_residual", 0.5),
    # abuse (2.1.f)
    Measure("unit_price_log2", 0.2, side="both"),
)
"""The order model's measures. A missing column is a row of unknowns and moves nothing."""

SELLER_FEATURES: tuple[Measure, ...] = (
    *ANOMALY_FEATURES,
    Measure("declared_weight_ratio", 0.2, side="low"),
    Measure("signed_by_other", 0.25),
    Measure("delivered_together_surprise", 0.5),
    Measure("number_invalid_surprise", 0.5),
    Measure("number_reuse_orders", 0.5, log=True),
    Measure("unscanned_surprise", 0.5),
    Measure("unconfirmed_surprise", 0.5),
    Measure("early_scan_surprise", 0.5),
    Measure("late_acceptance_surprise", 0.5),
    Measure("fast_transit_surprise", 0.5),
    Measure("trace_twin_surprise", 0.5),
)
"""What the seller model's figures are made of (see ``models.seller_figures``): of one parcel these are accidents,
so the order model was not better for them; of a shop's parcels they are a habit."""
