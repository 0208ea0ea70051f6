"""What the output tables are made of."""

from __future__ import annotations

from policy_builders import a_detection, a_rule

from detector.contract import CLAUSES
from detector.results import clauses_not_judged
from detector.scoring import Scorer

RULES = (
    a_rule("BY_AGE", clause="self_dealing", when="buyer_age_days < 1 and device_orders_1h > 3"),
    a_rule("BY_CARD", clause="self_dealing", when="payment_buyers_30d > 3"),
    a_rule("BY_PHONE", clause="abuse", when="recipient_phone_buyers_30d > 3"),
)
ORDERS = {"buyer_id", "device_id", "created_at"}


def not_judged(**present: set[str]) -> dict[str, str]:
    return clauses_not_judged(Scorer(a_detection(), RULES), present)


def test_a_clause_is_judged_where_one_of_its_rules_can_look() -> None:
    assert "self_dealing" not in not_judged(orders=ORDERS | {"payment_id"})
    assert "self_dealing" not in not_judged(orders=ORDERS, buyers={"registered_at"})
    assert "abuse" not in not_judged(orders={"buyer_id", "recipient_phone"})


def test_what_is_missing_is_named() -> None:
    why = not_judged(orders=ORDERS)
    assert why["abuse"] == "the input has no orders.recipient_phone"
    assert why["self_dealing"] == "the input has no buyers.registered_at, orders.payment_id"


def test_a_clause_without_a_rule_says_so() -> None:
    everything = not_judged(orders=ORDERS | {"payment_id", "recipient_phone"}, buyers={"registered_at"})
    assert everything == {
        clause: "the policy has no rule for it"
        for clause in CLAUSES
        if clause not in ("self_dealing", "abuse")
    }
