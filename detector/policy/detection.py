"""The ``[detection]`` section and the ``[[rule]]`` list of a policy file: from evidence to a decision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from detector.contract import CLAUSES
from detector.policy.enforcement import Clause, Section

__all__ = ["Bands", "Detection", "Fusion", "Hallmark", "Message", "Rule", "SellerVerdict", "Strength"]

Strength = Literal["hard", "soft"]
Share = Annotated[float, Field(ge=0, le=1)]
Gain = Annotated[float, Field(ge=0, le=10)]


class Message(Section):
    """One plain sentence to an investigator in each language; ``{feature}`` is replaced by its value."""

    en: str
    zh: str


class Rule(Section):
    """One rule.

    Attributes
    ----------
    code
        Reason code, upper case.
    when
        Condition over catalog features (``detector.rules``); null makes the rule abstain.
    strength
        ``hard``: an investigator would act on it alone. ``soft``: needs corroboration.
    weight
        Share of innocent doubt the rule takes away (0–1); weights of one clause combine by noisy-or.
    supporting
        It goes along with many kinds of fakes, or says who acts together rather than what was done: among
        the reasons it speaks for its clause with the share ``hallmark.side_share`` of its weight.
    collective
        It says that orders are alike, as those of fans, colleagues and subscribers are. It counts no more than
        what the order itself shows, and is not told to its neighbours: being alike makes nobody suspect.
    """

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]+$")]
    clause: Clause
    when: str
    strength: Strength
    weight: Annotated[float, Field(gt=0, lt=1)]
    supporting: bool = False
    collective: bool = False
    message: Message


class Bands(Section):
    """Scores from which an order is reviewed or held."""

    review: Share
    hold: Share

    @model_validator(mode="after")
    def _ordered(self) -> Bands:
        if not self.review < self.hold:
            raise ValueError(f"review ({self.review}) must be below hold ({self.hold})")
        return self


class Fusion(Section):
    """How evidence becomes a score: a sum of log-odds.

    ``intercept + evidence_gain · Σ −ln(1 − weight)`` over the rules that fired, the collective ones with a gain
    of their own and at most as much as the others, plus the neighbours' lifts times their gains. An order
    without evidence of its own stays below review whatever its neighbours are.

    Attributes
    ----------
    soft_cap
        Highest clause score from soft rules alone.
    family_floor
        Clause score from which a clause counts as corroboration of another.
    context
        Neighbourhood feature → gain.
    anomaly_weight
        Log-odds per nat of the anomaly percentile's surprise, of an order with evidence of its own; 0 leaves
        the forest out.
    explain_from
        Score from which reasons are written.
    """

    intercept: Annotated[float, Field(ge=-20, le=20)]
    evidence_gain: Gain
    collective_gain: Gain
    soft_cap: Share
    family_floor: Share
    context: dict[str, Gain]
    anomaly_weight: Gain
    explain_from: Share


class Hallmark(Section):
    """How an order's reasons are ranked by what sets its shop's and its ring's suspected orders apart.

    Attributes
    ----------
    side_share
        Share of its weight with which a supporting rule speaks, and a rule of a clause that is not what sets
        these orders apart.
    weight
        Weight of the reason that says so, below what the order itself shows.
    message
        That reason's sentence for each clause.
    """

    side_share: Share
    weight: Share
    message: dict[Clause, Message]

    @model_validator(mode="after")
    def _complete(self) -> Hallmark:
        absent = [clause for clause in CLAUSES if clause not in self.message]
        if absent:
            raise ValueError(f"message lacks {', '.join(absent)}; every clause needs one")
        return self


class SellerVerdict(Section):
    """When a seller is watched or a case is opened, and when it is a possible victim.

    A seller's expected number of fake orders is the sum of its suspected orders' scores; a case needs both
    the lower bound of its 95 % interval and the share to be reached: ``case_orders`` where as many suspected
    orders are corroborated or of buyers suspected elsewhere, ``case_orders_alike`` where they are not.

    A possible victim has at least ``victim_orders`` suspected orders, at most ``victim_share`` of all; of
    these at most ``victim_benefit_share`` with evidence that only the seller could make, as many of buyers
    tied to it and of buyers suspected elsewhere too, at most ``victim_gain_share`` with evidence of abuse, and
    at least ``victim_burst`` within a week.

    ``anomaly_weight`` is what the seller forest adds to a seller's score: log-odds per nat of the percentile's
    surprise; 0 leaves it out. The recommendation does not listen to it.
    """

    watch_orders: Annotated[float, Field(gt=0)]
    case_orders: Annotated[float, Field(gt=0)]
    case_orders_alike: Annotated[float, Field(gt=0)]
    case_share: Share
    victim_orders: Annotated[float, Field(gt=0)]
    victim_share: Share
    victim_benefit_share: Share
    victim_gain_share: Share
    victim_burst: Share
    anomaly_weight: Gain


class Detection(Section):
    """The whole section."""

    bands: Bands
    fusion: Fusion
    hallmark: Hallmark
    seller: SellerVerdict
