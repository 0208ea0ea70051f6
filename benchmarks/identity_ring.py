"""A ring of accounts on shared devices among households and hubs, found by orders and shared devices alone.

150 accounts on 25 devices order once each from one shop. Around them shop honest people, 5 % of them in
households of two on one device, and three hubs of 40 people who share a device and nothing else. Reported is
the average precision of the ring's accounts among all buyers, with every link observed and with half.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import average_precision_score

from detector.ingest import ingest_frames
from detector.job import connect
from detector.policy.loader import load_policy
from detector.scan import read_known, score_known
from detector.scoring import Scorer
from features.batch import compute_features

RING, DEVICES, HUBS, HUB_USERS, HOUSEHOLD_SHARE = 150, 25, 3, 40, 0.05
AS_OF = datetime(2024, 7, 1)
POLICY = load_policy(None)
START = datetime(2024, 5, 1, tzinfo=UTC)


def main(seeds: int = 5, honest: int = 3000, sellers: int = 150) -> None:
    """Print the mean average precision over the seeds, for each share of observed links."""
    for observed in (1.0, 0.5):
        found = [ring_precision(seed, observed, honest, sellers) for seed in range(seeds)]
        print(f"links observed {observed:4.0%}: account AP {np.mean(found):.3f} (least {min(found):.3f})")


def ring_precision(seed: int, observed: float, honest: int, sellers: int) -> float:
    """Average precision of the ring's accounts in one market."""
    random = np.random.default_rng(seed)
    tables = {
        "orders": _orders(random, honest, sellers),
        "account_identifiers": _links(random, honest, observed),
    }
    scorer = Scorer(POLICY.detection, POLICY.rule)
    with connect() as con:
        ingest_frames(tables, con)
        compute_features(con, AS_OF)
        scores = score_known(read_known(con, scorer), scorer, None)[1]
        buyers = con.execute("SELECT buyer_id FROM orders ORDER BY o").df()["buyer_id"]
    worst = pd.Series(scores.score).groupby(buyers).max()
    return float(average_precision_score(worst.index.str.startswith("ring"), worst))


def _orders(random: np.random.Generator, honest: int, sellers: int) -> pd.DataFrame:
    """Honest buyers order one to five times, from popular shops more often; the ring once each."""
    popularity = 1 / np.arange(1, sellers + 1)
    shopper = np.repeat(np.arange(honest), random.integers(1, 6, honest))
    shop = random.choice(sellers, len(shopper), p=popularity / popularity.sum())
    target = int(random.integers(sellers // 4, sellers))
    buyer = [f"honest-{n}" for n in shopper] + [f"ring-{n}" for n in range(RING)]
    minute = random.integers(0, 60 * 24 * 60, len(buyer))
    return pd.DataFrame({
        "order_id": [f"o{n}" for n in range(len(buyer))],
        "seller_id": [f"s{n}" for n in [*shop, *[target] * RING]],
        "buyer_id": buyer,
        "created_at": [START + timedelta(minutes=int(m)) for m in minute],
        "currency": "USD", "total_minor": 2500, "status": "COMPLETED",
    })  # fmt: skip


def _links(random: np.random.Generator, honest: int, observed: float) -> pd.DataFrame:
    """Every account's device; each link is known with the given chance."""
    device = np.arange(honest)
    paired = int(HOUSEHOLD_SHARE * honest) // 2
    device[paired : 2 * paired] = device[:paired]
    for hub in range(HUBS):
        first = 2 * paired + hub * HUB_USERS
        device[first : first + HUB_USERS] = first
    accounts = [(f"honest-{n}", f"device-{d}") for n, d in enumerate(device)]
    accounts += [(f"ring-{n}", f"ring-device-{n % DEVICES}") for n in range(RING)]
    kept = [pair for pair in accounts if random.random() < observed]
    return pd.DataFrame(kept, columns=["account_id", "identifier_value"]).assign(
        account_kind="buyer", identifier_kind="device"
    )


if __name__ == "__main__":
    typer.run(main)
