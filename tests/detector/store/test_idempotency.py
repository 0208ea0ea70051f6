"""Claims: carried out once, answered the same, refused with other content, also when they race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, func, select

from detector.enforcement.refusals import IdempotencyConflict
from detector.store.idempotency import IDEMPOTENCY, Claim, forget_before, recall, remember

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A = Claim("key:1 POST /v1/score", "k1", "d1")


def test_a_claim_is_answered_the_second_time(store: Engine) -> None:
    with store.begin() as connection:
        assert recall(connection, [A], NOW) == {}
        remember(connection, {A: {"decision_id": "x", "score": 0.25}})
    with store.begin() as connection:
        assert recall(connection, [A], NOW) == {A: {"decision_id": "x", "score": 0.25}}


def test_claims_of_one_group_are_taken_and_answered_apart(store: Engine) -> None:
    other = Claim(A.scope, "k2", "d1")
    with store.begin() as connection:
        recall(connection, [A], NOW)
        remember(connection, {A: 1})
    with store.begin() as connection:
        assert recall(connection, [other, A], NOW) == {A: 1}
        remember(connection, {other: 2})
    with store.begin() as connection:
        assert recall(connection, [A, other, A], NOW) == {A: 1, other: 2}


def test_a_key_with_other_content_is_refused(store: Engine) -> None:
    with store.begin() as connection:
        recall(connection, [A], NOW)
        remember(connection, {A: 1})
    with store.begin() as connection, pytest.raises(IdempotencyConflict, match="k1"):
        recall(connection, [Claim(A.scope, A.key, "other")], NOW)


def test_one_key_of_two_callers_is_two_claims(store: Engine) -> None:
    with store.begin() as connection:
        recall(connection, [A], NOW)
        remember(connection, {A: 1})
        assert recall(connection, [Claim("key:2 POST /v1/score", A.key, A.digest)], NOW) == {}


def test_what_rolls_back_is_not_claimed(store: Engine) -> None:
    with store.connect() as connection:
        recall(connection, [A], NOW)
        connection.rollback()
    with store.begin() as connection:
        assert recall(connection, [A], NOW) == {}


def test_racing_claims_are_carried_out_once(store: Engine) -> None:
    """Eight at once, in groups of opposite order: one carries out, the others wait and get its answer."""
    both, start = [A, Claim(A.scope, "k2", "d2")], Barrier(8)

    def race(number: int) -> tuple[bool, object]:
        start.wait()
        with store.begin() as connection:
            known = recall(connection, both if number % 2 else both[::-1], NOW)
            mine = {claim: number for claim in both if claim not in known}
            remember(connection, mine)
        return bool(mine), {**known, **mine}

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(race, range(8)))
    assert sum(carried_out for carried_out, _ in outcomes) == 1
    assert len({str(sorted(answer.items())) for _, answer in outcomes}) == 1


def test_old_keys_are_forgotten(store: Engine) -> None:
    later = Claim(A.scope, "k2", "d")
    with store.begin() as connection:
        recall(connection, [A], NOW)
        recall(connection, [later], NOW + timedelta(days=1))
        assert forget_before(connection, NOW + timedelta(days=1)) == 1
        assert connection.execute(select(func.count()).select_from(IDEMPOTENCY)).scalar_one() == 1
