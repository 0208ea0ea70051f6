"""Where the gains of the fusion come from, and what is lost on an attack that they were not fitted on.

On labelled tuning markets the gains are a logistic regression's: of an order's own evidence, of what only says
that orders are alike, of the forest's surprise and of every neighbourhood's lift. The lifts depend on the gains,
so the regression is repeated. Printed are the gains, beside the policy's, which are rounded by hand; then what
other markets show of every attack under the policy, under gains fitted on all attacks, and under gains fitted
without this one: its fakes, and all orders of the sellers that did nothing else, are taken out of the tuning
markets. The rules, written by hand, stay; ``benchmarks.left_out`` takes those out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import typer
from sklearn.linear_model import LogisticRegression

from benchmarks.left_out import DAYS, Flags, Floats, computed, precision, recall
from detector.anomaly import train
from detector.job import connect
from detector.policy.detection import Detection, Fusion
from detector.policy.loader import load_policy
from detector.policy.schema import Policy
from detector.scan import Known, with_neighbours
from detector.scoring import Evidence, Scorer
from detector.simulate.attacks.registry import CLAUSE_OF
from detector.simulate.market import simulate
from features.neighbours import Neighbours
from models.calibration import surprise

TUNING, REPORT = (101, 102, 103, 104), (401, 402)
"""Seeds of the markets that are fitted on, and of those that are reported."""

ROUNDS = 3
"""Regressions, each on the lifts that come from the gains of the one before."""


def main(orders: int = 60_000) -> None:
    """Print the fitted gains, and every attack's recall and precision with and without it in the tuning."""
    policy = load_policy(None)
    tuning, reported = ([read(orders, seed, policy) for seed in seeds] for seeds in (TUNING, REPORT))
    fusion, full = policy.detection.fusion, fitted(policy.detection, tuning)
    print(f"gains fitted on seeds {TUNING}, {orders:,} orders each\n")
    print(pd.DataFrame({"policy": gains(fusion), "fitted": gains(full)}).to_string(float_format="%.2f"), "\n")
    rows = []
    for attack in CLAUSE_OF:
        lesser = fitted(policy.detection, [market.without(attack) for market in tuning])
        ways = {"policy": fusion, "fitted": full, "left out": lesser}
        rows.append(compared(attack, policy, reported, ways))
    print(f"reported on seeds {REPORT}\n")
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.3f"))


def read(orders: int, seed: int, policy: Policy) -> Labelled:
    """A simulated market."""
    with connect() as con:
        return Labelled.of(policy, *computed(con, simulate(orders, DAYS, seed), policy))


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled market. ``anomaly`` is the forest's percentile, ``truth`` has a row per order."""

    known: Known
    evidence: Evidence
    anomaly: Floats
    truth: pd.DataFrame

    @classmethod
    def of(cls, policy: Policy, known: Known, truth: pd.DataFrame) -> Labelled:
        """The forest looks for strangers among orders without labels, so it is trained once."""
        scorer = Scorer(policy.detection, policy.rule)
        evidence = scorer.evidence(known.features, known.count)
        model = train(known.features, known.groups, scorer.suspicion(evidence, {}))
        assert model is not None
        return cls(known, evidence, model.percentile(known.features, known.groups), truth)

    def without(self, attack: str) -> Labelled:
        """The market without an attack's orders and without the sellers that did nothing else."""
        fakes = self.truth[self.truth["is_fake"]]
        others = fakes.loc[fakes["attack"] != attack, "seller_id"]
        mine = fakes.loc[fakes["attack"] == attack, "seller_id"]
        pure = self.truth["seller_id"].isin(set(mine) - set(others))
        return self._part(~(pure | (self.truth["attack"] == attack)).to_numpy(dtype=bool))

    def _part(self, kept: Flags) -> Labelled:
        keys = {name: codes[kept] for name, codes in self.known.keys.items()}
        evidence = replace(self.evidence, own=self.evidence.own[kept], amount=self.evidence.amount[kept])
        return Labelled(Known({}, keys, {}), evidence, self.anomaly[kept], self.truth[kept])

    def inputs(self, scorer: Scorer) -> Floats:
        """What the regression sees of every order, in the order of ``gains``."""
        features = with_neighbours(self.known, scorer, self.evidence, Neighbours(self.known.keys))
        own, alike = self.evidence.own, self.evidence.amount - self.evidence.own
        strange = np.where(own > 0, surprise(self.anomaly), 0.0)
        lifts = [np.nan_to_num(features[name]) for name in scorer.detection.fusion.context]
        return np.column_stack([own, np.minimum(alike, own), strange, *lifts])

    def scores(self, scorer: Scorer) -> Floats:
        """Scores of the orders, the evidence and the forest being what they are."""
        features = with_neighbours(self.known, scorer, self.evidence, Neighbours(self.known.keys))
        return scorer.score(features, self.known.count, self.anomaly, self.evidence).score


def fitted(detection: Detection, markets: Sequence[Labelled]) -> Fusion:
    """The fusion with gains fitted to the markets; nothing of the policy's own gains is left in them."""
    fusion = detection.fusion
    fake = np.concatenate([market.truth["is_fake"].to_numpy(dtype=bool) for market in markets])
    start = {"intercept": float(np.log(fake.mean() / (1.0 - fake.mean()))), "evidence_gain": 1.0}
    fusion = fusion.model_copy(update=start | {"context": dict.fromkeys(fusion.context, 0.0)})
    for _ in range(ROUNDS):
        scorer = Scorer(detection.model_copy(update={"fusion": fusion}), ())
        seen = np.vstack([market.inputs(scorer) for market in markets])
        found = LogisticRegression(solver="newton-cholesky", tol=1e-8).fit(seen, fake)
        own, alike, strange, *lifts = np.maximum(found.coef_[0], 0.0).tolist()
        changes = {
            "intercept": float(found.intercept_[0]),
            "evidence_gain": own,
            "collective_gain": alike,
            "anomaly_weight": strange,
            "context": dict(zip(fusion.context, lifts, strict=True)),
        }
        fusion = fusion.model_copy(update=changes)
    return fusion


def gains(fusion: Fusion) -> dict[str, float]:
    """What is fitted, by name."""
    names = ("evidence_gain", "collective_gain", "anomaly_weight")
    return {
        "intercept": fusion.intercept,
        **{name: getattr(fusion, name) for name in names},
        **fusion.context,
    }


def compared(
    attack: str, policy: Policy, markets: Sequence[Labelled], ways: dict[str, Fusion]
) -> dict[str, object]:
    """One attack's recall and average precision under each of the gains, all markets' orders together."""
    truth = pd.concat([market.truth for market in markets])
    fake, mine = truth["is_fake"].to_numpy(dtype=bool), (truth["attack"] == attack).to_numpy(dtype=bool)
    row: dict[str, object] = {"attack": attack, "orders": int(mine.sum())}
    for name, fusion in ways.items():
        scorer = Scorer(policy.detection.model_copy(update={"fusion": fusion}), policy.rule)
        score = np.concatenate([market.scores(scorer) for market in markets])
        row |= {f"recall, {name}": recall(score, mine, fake), f"AP, {name}": precision(score, mine, fake)}
    return row


if __name__ == "__main__":
    typer.run(main)
