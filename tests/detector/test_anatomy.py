from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from builders import an_identifier, an_order, at, frames

from detector.analyst import Findings, scan_frames
from detector.anatomy import if_explained, shared_identifiers, telling_features
from detector.contract import CLAUSES
from detector.errors import InputError
from detector.simulate.market import simulate


def a_ring(*buyers: str) -> pd.DataFrame:
    return pd.DataFrame({"ring_id": ["r1"], "buyer_ids": [list(buyers)]})


@pytest.fixture(scope="module")
def shared() -> pd.DataFrame:
    """Three accounts of a ring: one device for all, shared with a stranger; a card for two; own phones."""
    orders = [an_order(buyer_id=f"b{n}", created_at=at(days=n)) for n in range(1, 5)]
    identifiers = [
        *(an_identifier("device", "d1", f"b{n}") for n in range(1, 5)),
        *(an_identifier("payment", "c1", f"b{n}") for n in (1, 2)),
        *(an_identifier("phone", f"+1 555 0100{n}0", f"b{n}") for n in range(1, 4)),
        an_identifier("device", "d9", "b4"),
    ]
    found = scan_frames(frames(orders, account_identifiers=identifiers))
    return shared_identifiers(replace(found, rings=a_ring("b1", "b2", "b3")), "r1")


def test_shared_identifiers_are_counted_with_their_users(shared: pd.DataFrame) -> None:
    assert shared.to_dict("index") == {
        "device": counts(accounts=3, shared=1, accounts_sharing=3, most_on_one=3, outsiders=1, private=1),
        "payment": counts(accounts=2, shared=1, accounts_sharing=2, most_on_one=2, outsiders=0, private=1),
        "phone": counts(accounts=3),
    }


def counts(
    accounts: int,
    shared: int = 0,
    accounts_sharing: int = 0,
    most_on_one: int = 0,
    outsiders: int = 0,
    private: int = 0,
) -> dict[str, int]:
    return {
        "accounts": accounts,
        "shared": shared,
        "accounts_sharing": accounts_sharing,
        "most_on_one": most_on_one,
        "outsiders": outsiders,
        "taken_as_private": private,
    }


def test_no_identifier_is_told(shared: pd.DataFrame) -> None:
    assert not any(value in shared.to_string() for value in ("d1", "c1", "555"))


def test_an_unknown_ring_is_refused(findings: Findings) -> None:
    with pytest.raises(InputError, match="no ring 'nobody'"):
        shared_identifiers(findings, "nobody")


def features(rng: np.random.Generator, rows: int = 40) -> pd.DataFrame:
    noise = rng.integers(0, 4, rows).astype(float)
    telling = np.where(np.arange(rows) < rows / 2, 5.0, rng.integers(0, 6, rows))
    rare = np.where(np.arange(rows) % 9 == 0, 1.0, np.nan)
    table = {"buyer_age_days": noise, "entity_accounts": telling, "speed_kmh": rare}
    return pd.DataFrame(table, index=[f"o{n}" for n in range(rows)])


def chance_of_higher(left: pd.Series, right: pd.Series) -> float:
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(left, right)]
    return sum(wins) / len(wins)


def test_telling_features_rank_by_the_chance_of_a_higher_value() -> None:
    table = features(np.random.default_rng(3))
    chosen, others = table.index[:20], table.index[20:]
    found = telling_features(table, chosen, others)
    assert found.index.tolist() == ["entity_accounts", "buyer_age_days"]
    for name in found.index:
        assert found.loc[name, "higher"] == pytest.approx(
            chance_of_higher(table.loc[chosen, name], table.loc[others, name])
        )
    assert found.loc["entity_accounts", ["known", "chosen"]].tolist() == [20, 5.0]
    assert "one person" in found.loc["entity_accounts", "meaning"]


def test_too_few_known_values_tell_nothing() -> None:
    table = features(np.random.default_rng(3)).head(8)
    assert telling_features(table, table.index[:4], table.index[4:]).empty


@pytest.fixture(scope="module")
def findings() -> Findings:
    market = simulate(orders=1_000, days=20, seed=8, fake_share=0.1)
    return scan_frames({name: table.to_pandas() for name, table in market.tables.items()})


def clause_scores(findings: Findings) -> pd.DataFrame:
    scores = findings.orders[[f"clause_{clause}" for clause in CLAUSES]].fillna(0.0)
    return scores.set_axis(list(CLAUSES), axis=1).set_axis(findings.orders["order_id"], axis=0)


def test_orders_with_evidence_of_one_clause_are_cleared_when_that_is_explained(findings: Findings) -> None:
    suspected = findings.orders.set_index("order_id")["decision"] != "allow"
    scores = clause_scores(findings)
    alone = scores[suspected & ((scores > 0).sum(axis=1) == 1)]
    clause = str(alone.idxmax(axis=1).mode().iloc[0])
    orders = alone.index[alone[clause] > 0]
    found = if_explained(findings, orders)
    assert found.index.tolist() == [clause, "nothing"]
    assert found["orders_with_evidence"].tolist() == [len(orders), len(orders)]
    assert found["still_suspected"].tolist() == [0, len(orders)]
    assert found.loc[clause, "mean_score"] < found.loc["nothing", "mean_score"]


def test_what_is_explained_counts_the_orders_it_was_held_against(findings: Findings) -> None:
    orders = findings.orders.loc[findings.orders["decision"] != "allow", "order_id"]
    found = if_explained(findings, orders)
    held = (clause_scores(findings).loc[orders] > 0).sum()
    assert found["orders_with_evidence"].drop("nothing").to_dict() == held[held > 0].to_dict()
    assert (found["still_suspected"] <= len(orders)).all()
    assert found.loc["nothing", "still_suspected"] == len(orders)


def test_allowed_orders_without_evidence_have_nothing_to_explain(findings: Findings) -> None:
    scores = clause_scores(findings)
    clean = scores.index[(scores == 0).all(axis=1)][:10]
    found = if_explained(findings, clean)
    assert found.index.tolist() == ["nothing"]
    assert found.loc["nothing", ["orders_with_evidence", "still_suspected"]].tolist() == [0, 0]
