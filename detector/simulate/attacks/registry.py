"""All attacks by name, and the policy clause each one breaks."""

from __future__ import annotations

from detector.simulate.attacks.abuse import ABUSE
from detector.simulate.attacks.commission import COMMISSION
from detector.simulate.attacks.repeat import REPEAT_BUYING, REVIEWS
from detector.simulate.attacks.self_dealing import SELF_DEALING
from detector.simulate.attacks.stage import Attack
from detector.simulate.attacks.tracking import INVALID_TRACKING, TRACKING_MISMATCH

__all__ = ["ATTACKS", "CLAUSE_OF"]

_BY_CLAUSE: dict[str, dict[str, Attack]] = {
    "self_dealing": SELF_DEALING,
    "tracking_mismatch": TRACKING_MISMATCH,
    "invalid_tracking": INVALID_TRACKING,
    "repeat_buying": REPEAT_BUYING,
    "reviews": REVIEWS,
    "abuse": ABUSE | COMMISSION,
}
ATTACKS: dict[str, Attack] = {
    name: attack for attacks in _BY_CLAUSE.values() for name, attack in attacks.items()
}
"""Attack name → what stages that many of its orders. The order of names is the order of staging."""
CLAUSE_OF: dict[str, str] = {name: clause for clause, attacks in _BY_CLAUSE.items() for name in attacks}
