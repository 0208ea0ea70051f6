"""The rule language and its machine against a Kleene evaluator in plain Python, and its errors word by word."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import PolicyError
from detector.rule_machine import Program
from detector.rules import RuleSyntaxError, compile_expression

NAMES = ("a", "b", "c")
NUMBERS = st.sampled_from(["0", "1", "2", "0.5", "-1", "3"])
VALUES = st.sampled_from([None, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0])


def joined(symbols: list[str], parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda x, op, y: f"({x} {op} {y})", parts, st.sampled_from(symbols), parts)


TERMS = st.recursive(
    st.sampled_from(NAMES) | NUMBERS,
    lambda inner: (
        joined(["+", "-", "*", "/"], inner)
        | st.builds(lambda f, x, y: f"{f}({x}, {y})", st.sampled_from(["min", "max"]), inner, inner)
        | inner.map(lambda x: f"(-{x})")
    ),
    max_leaves=4,
)
COMPARISONS = (
    joined(["<", "<=", ">", ">=", "==", "!="], TERMS)
    | st.builds(lambda x, y, z: f"({x} < {y} <= {z})", TERMS, TERMS, TERMS)
    | st.builds(lambda x, no, ys: f"({x} {no}in ({', '.join(ys)},))", TERMS, st.sampled_from(["", "not "]),
                st.lists(TERMS, min_size=1, max_size=3))
    | st.builds(lambda x, no: f"({x} is {no}null)", TERMS, st.sampled_from(["", "not "]))
)  # fmt: skip
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: joined(["and", "or"], inner) | inner.map(lambda x: f"(not {x})"),
    max_leaves=5,
)


class Kleene:
    """One row at a time, None for unknown: numbers from numbers, True / False / None from conditions."""

    def __init__(self, row: dict[str, float | None]) -> None:
        self.row = row

    def number(self, node: ast.expr) -> float | None:
        match node:
            case ast.Constant(value=value):
                return float(value)
            case ast.Name(id=name):
                return self.row[name]
            case ast.UnaryOp(operand=operand):
                value = self.number(operand)
                return None if value is None else -value
            case ast.BinOp(op=op, left=left, right=right):
                return self.apply(self.ARITHMETIC[type(op)], left, right)
            case ast.Call(func=ast.Name(id=function), args=[left, right]):
                return self.apply({"min": min, "max": max}[function], left, right)
        raise AssertionError(node)

    def apply(self, function: Callable[[float, float], Any], left: ast.expr, right: ast.expr) -> Any:
        x, y = self.number(left), self.number(right)
        return None if x is None or y is None else function(x, y)

    ARITHMETIC: ClassVar[dict[type, Callable[[float, float], float | None]]] = {
        ast.Add: lambda x, y: x + y,
        ast.Sub: lambda x, y: x - y,
        ast.Mult: lambda x, y: x * y,
        ast.Div: lambda x, y: None if y == 0 else x / y,
    }
    RELATIONS: ClassVar[dict[type, Callable[[float, float], bool]]] = {
        ast.Lt: lambda x, y: x < y,
        ast.LtE: lambda x, y: x <= y,
        ast.Gt: lambda x, y: x > y,
        ast.GtE: lambda x, y: x >= y,
        ast.Eq: lambda x, y: x == y,
        ast.NotEq: lambda x, y: x != y,
    }

    @staticmethod
    def conjunction(parts: list[bool | None]) -> bool | None:
        return False if False in parts else None if None in parts else True

    @staticmethod
    def negation(part: bool | None) -> bool | None:
        return None if part is None else not part

    def truth(self, node: ast.expr) -> bool | None:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return self.conjunction([self.truth(value) for value in values])
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.negation(self.conjunction([self.negation(self.truth(value)) for value in values]))
            case ast.UnaryOp(operand=operand):
                return self.negation(self.truth(operand))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                lefts = [left, *rights[:-1]]
                return self.conjunction([self.one(*part) for part in zip(ops, lefts, rights, strict=True)])
        raise AssertionError(node)

    def one(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> bool | None:
        match op, right:
            case ((ast.Is() | ast.IsNot()), _):
                return (self.number(left) is None) == isinstance(op, ast.Is)
            case ((ast.In() | ast.NotIn()), ast.Tuple(elts=items)):
                apart = self.conjunction([self.one(ast.NotEq(), left, item) for item in items])
                return apart if isinstance(op, ast.NotIn) else self.negation(apart)
        found: bool | None = self.apply(self.RELATIONS[type(op)], left, right)
        return found


SAID: dict[int, bool | None] = {1: True, 0: False, -1: None}


def judged(texts: list[str], rows: list[dict[str, float | None]]) -> list[list[bool | None]]:
    """What the machine says of each row by each rule."""
    program = Program.of([compile_expression(text, NAMES) for text in texts])
    given = [[row[name] for row in rows] for name in program.names]
    fired = np.full((len(rows), len(texts)), 7, dtype=np.int8)
    program.judge(np.array(given, dtype=np.float64).reshape(len(program.names), len(rows)), fired)
    return [[SAID[said] for said in row] for row in fired.tolist()]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.lists(CONDITIONS, min_size=1, max_size=3),
    st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), min_size=1, max_size=6),
)
def test_rules_are_kleene_logic(texts: list[str], rows: list[dict[str, float | None]]) -> None:
    trees = [ast.parse(text.replace("null", "None"), mode="eval").body for text in texts]
    assert judged(texts, rows) == [[Kleene(row).truth(tree) for tree in trees] for row in rows]


@pytest.mark.parametrize(
    ("text", "a", "b", "fires"),
    [
        ("a > 2 and b > 2", 3, None, None),
        ("a > 2 and b > 2", 1, None, False),
        ("a > 2 or b > 2", 3, None, True),
        ("not (a > 2)", None, 0, None),
        ("a is null", None, 0, True),
        ("a is not null", None, 0, False),
        ("a in (1, 2)", 2, 0, True),
        ("a in (1, b)", 2, None, None),
        ("a not in (1, 2)", None, 0, None),
        ("0 < a < 3", 2, 0, True),
        ("3 < a < b", 2, None, False),
        ("max(a, b) >= 2", 1, 2, True),
        ("a / b > 1", 3, 0, None),
        ("-a < 0", 1, 0, True),
        ("a + b * 2 == 7", 3, 2, True),
    ],
)
def test_examples(text: str, a: float | None, b: float | None, fires: bool | None) -> None:
    assert judged([text], [{"a": a, "b": b}]) == [[fires]]


def test_a_policy_without_rules_and_one_without_features() -> None:
    assert judged([], [{"a": 1.0}, {"a": 2.0}]) == [[], []]
    assert judged(["1 < 2", "3 in (1, 2)"], [{}, {}]) == [[True, False], [True, False]]
    assert judged(["a > 1"], []) == []


def test_overflow_is_a_number_and_what_it_leaves_undefined_is_unknown() -> None:
    huge = [{"a": 1e308, "b": None}]
    assert judged(["a * 10 > a", "a * 10 - a * 10 == 0", "min(a * 10, 1) == 1"], huge) == [[True, None, True]]


def test_an_expression_knows_its_features() -> None:
    assert compile_expression("a > 1 and max(b, 2) in (c, 3)", NAMES).names == {"a", "b", "c"}


NOT_PART = (
    "not part of the rule language. Allowed: features, numbers, + - * /, min, max, comparisons, and, or, not, "
    "in (…), is null"
)
CONDITION = "a condition is needed here, such as 'feature > 3'"
KNOWN = ("total_minor", "buyer_age_days", "seller_orders_1h", "seller_orders_24h", "价格")

ERRORS = [
    ("", "cannot read the rule: invalid syntax", "^"),
    ("total_minor >", "cannot read the rule: invalid syntax", "^"),
    ("(total_minor > 3", "cannot read the rule: '(' was never closed", "^"),
    ("total_minor", CONDITION, "^^^^^^^^^^^"),
    ("not total_minor", CONDITION, "    ^^^^^^^^^^^"),
    ("total_minor > 2 and 3", CONDITION, "                    ^"),
    ("total_minor is 3", "'is' works with null only; use == for a value", "^^^^^^^^^^^^^^^^"),
    ("total_minor in 3", "'in' needs a list of numbers, such as 'in (1, 2)'", "^^^^^^^^^^^^^^^^"),
    ("total_minor in ()", "'in' needs a list of numbers, such as 'in (1, 2)'", "^^^^^^^^^^^^^^^^^"),
    (
        "0 < total_minor is null",
        "'is' and 'in' stand alone; join conditions with and",
        "^^^^^^^^^^^^^^^^^^^^^^^",
    ),
    (
        "total_minor in (1, 2) < 3",
        "'is' and 'in' stand alone; join conditions with and",
        "^^^^^^^^^^^^^^^^^^^^^^^^^",
    ),
    ("total_minor > 'much'", NOT_PART, "              ^^^^^^"),
    ("total_minor > True", NOT_PART, "              ^^^^"),
    ("total_minor ** 2 > 3", NOT_PART, "^^^^^^^^^^^^^^^^"),
    ("min(total_minor) > 3", NOT_PART, "^^^^^^^^^^^^^^^^"),
    ("total_minor.real > 3", NOT_PART, "^^^^^^^^^^^^^^^^"),
    ("__import__('os') > 3", NOT_PART, "^^^^^^^^^^^^^^^^"),
    ("total_minor > (1 < 2)", NOT_PART, "               ^^^^^"),
    ("total_minor in (1, 'x')", NOT_PART, "                   ^^^"),
    ("total > 3", "there is no feature 'total'; did you mean total_minor?", "^^^^^"),
    ("total_minr > 3", "there is no feature 'total_minr'; did you mean total_minor?", "^^^^^^^^^^"),
    (
        "seller_orders_2h > 3",
        "there is no feature 'seller_orders_2h'; did you mean seller_orders_24h or seller_orders_1h?",
        "^^^^^^^^^^^^^^^^",
    ),
    ("价格 > 3 and 折扣 > 2", "there is no feature '折扣'", "           ^^"),
    ("total_minor == null", "there is no feature 'null'", "               ^^^^"),
]


@pytest.mark.parametrize(("text", "what", "pointer"), ERRORS, ids=[text or "empty" for text, *_ in ERRORS])
def test_an_error_says_what_and_where(text: str, what: str, pointer: str) -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        compile_expression(text, KNOWN)
    assert str(caught.value) == f"{what}\n    {text}\n    {pointer}"
    assert isinstance(caught.value, PolicyError)
    assert (
        text[caught.value.start : caught.value.end]
        == text[len(pointer) - len(pointer.lstrip()) : len(pointer)]
    )
