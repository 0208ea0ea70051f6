"""Rules are data: a small expression over catalog features, compiled to numpy.

The language: comparisons, ``and`` / ``or`` / ``not``, arithmetic, ``in (…)``, ``is null`` / ``is not null``,
``min(a, b)``, ``max(a, b)``, numbers, and the names of catalog features. Logic is three-valued (Kleene): what
depends on a null feature or on a division by zero is unknown, and a rule that is unknown abstains; it neither
fires nor counts as passed.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.errors import PolicyError

__all__ = ["Expression", "RuleSyntaxError", "compile_expression"]

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Row = Mapping[str, float]
Reading = Callable[[Mapping[str, Any]], Any]
"""What a part of a rule is of given features: of columns an array, of one order's features a number."""


def _related(relation: Callable[[Any, Any], Any], left: Floats, right: Floats) -> Floats:
    return np.where(np.isnan(left) | np.isnan(right), 0.5, relation(left, right))


def _related_ones(relation: Callable[[Any, Any], Any], left: float, right: float) -> float:
    return 0.5 if left != left or right != right else 1.0 if relation(left, right) else 0.0


def _propagating(choose: Callable[[float, float], float], left: float, right: float) -> float:
    return math.nan if left != left or right != right else choose(left, right)


@dataclass(frozen=True, slots=True)
class _Algebra:
    """What rules are computed with: arrays for many orders, plain numbers for a few. Both say the same.

    Truth is Kleene's as numbers, so that and is the smallest and or the largest: 0 false, ½ unknown, 1 true.
    """

    number: Callable[[float], Any]
    null: Any
    divide: Callable[[Any, Any], Any]
    functions: Mapping[str, Callable[[Any, Any], Any]]
    related: Callable[[Callable[[Any, Any], Any], Any, Any], Any]
    is_null: Callable[[Any], Any]
    both: Callable[[Any, Any], Any]
    either: Callable[[Any, Any], Any]


_ARRAYS = _Algebra(
    number=lambda value: np.asarray(value, dtype=np.float64),
    null=np.asarray(np.nan),
    divide=lambda left, right: np.divide(left, np.where(right == 0, np.nan, right)),
    functions={"min": np.minimum, "max": np.maximum},
    related=_related,
    is_null=lambda value: np.isnan(value).astype(np.float64),
    both=np.minimum,
    either=np.maximum,
)
_NUMBERS = _Algebra(
    number=float,
    null=math.nan,
    divide=lambda left, right: left / right if right else math.nan,
    functions={"min": partial(_propagating, min), "max": partial(_propagating, max)},
    related=_related_ones,
    is_null=lambda value: float(value != value),
    both=min,
    either=max,
)

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any] | None] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: None,  # the algebra's own: by zero it is unknown
}


class RuleSyntaxError(PolicyError):
    """A rule's ``when`` cannot be used. ``start`` and ``end`` are the offending span in the expression."""

    def __init__(self, what: str, expression: str, start: int, end: int) -> None:
        self.expression, self.start, self.end = expression, start, end
        pointer = " " * start + "^" * max(end - start, 1)
        super().__init__(f"{what}\n    {expression}\n    {pointer}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled condition.

    ``names`` are the features it reads. ``evaluate`` returns a float array: 1.0 true, 0.0 false,
    NaN unknown (the rule abstains).
    """

    text: str
    names: frozenset[str]
    _truth: Reading = field(repr=False)
    _truth_of_one: Reading = field(repr=False)

    def evaluate(self, columns: Columns) -> Floats:
        """Evaluate on equally long float64 columns; a feature that is not given is null."""
        with np.errstate(invalid="ignore", divide="ignore"):
            truth = np.asarray(self._truth(columns), dtype=np.float64)
            return np.where(truth == 0.5, np.nan, truth)

    def evaluate_one(self, row: Row) -> float:
        """Evaluate on one order's features; one that is not given is null."""
        truth: float = self._truth_of_one(row)
        return math.nan if truth == 0.5 else truth


def compile_expression(text: str, known: Collection[str]) -> Expression:
    """Parse and check a ``when`` expression against the names of the catalog.

    Raises
    ------
    RuleSyntaxError
        Naming the span that is wrong, and for an unknown feature the nearest names there are.

    >>> rule = compile_expression("a > 2 and b is not null", {"a", "b"})
    >>> rule.evaluate({"a": np.array([3.0, 3.0, np.nan]), "b": np.array([1.0, np.nan, 1.0])}).tolist()
    [1.0, 0.0, nan]
    """
    source = _null_to_none(text)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        at = max((error.offset or 1) - 1, 0)
        raise RuleSyntaxError(f"cannot read the rule: {error.msg}", text, at, at + 1) from None
    names = _check(tree, text, known, boolean=True)
    return Expression(text, frozenset(names), *(_logic(tree, algebra) for algebra in (_ARRAYS, _NUMBERS)))


def _null_to_none(text: str) -> str:
    """``null`` and ``None`` have the same length, so spans stay where they are."""
    return re.sub(r"\bis(\s+not)?(\s+)null\b", lambda m: m.group(0)[:-4] + "None", text)


def _check(node: ast.expr, text: str, known: Collection[str], *, boolean: bool) -> set[str]:
    """Walk the tree, refuse what the language does not have, collect the feature names."""

    def refuse(what: str) -> RuleSyntaxError:
        line = text.encode()  # the parser counts bytes
        start, end = (
            len(line[:at].decode()) for at in (node.col_offset, node.end_col_offset or node.col_offset + 1)
        )
        return RuleSyntaxError(what, text, start, end)

    def all_of(nodes: list[ast.expr], *, boolean: bool) -> set[str]:
        return set().union(*(_check(part, text, known, boolean=boolean) for part in nodes))

    match node:
        case ast.BoolOp(values=values) if boolean:
            return all_of(values, boolean=True)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if boolean:
            return _check(operand, text, known, boolean=True)
        case ast.Compare() if boolean:
            return _check_compare(node, text, known, refuse)
        case _ if boolean:
            raise refuse("a condition is needed here, such as 'feature > 3'")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _check(operand, text, known, boolean=False)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
            return all_of([left, right], boolean=False)
        case ast.Call(func=ast.Name(id=function), args=[_, _] as arguments, keywords=[]) if (
            function in _ARRAYS.functions
        ):
            return all_of(arguments, boolean=False)
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return set()
        case ast.Name(id=name):
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=3)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise refuse(f"there is no feature '{name}'{hint}")
            return {name}
    raise refuse(
        "not part of the rule language. Allowed: features, numbers, + - * /, min, max, comparisons, "
        "and, or, not, in (…), is null"
    )


def _check_compare(
    node: ast.Compare, text: str, known: Collection[str], refuse: Callable[[str], RuleSyntaxError]
) -> set[str]:
    names = _check(node.left, text, known, boolean=False)
    if len(node.ops) > 1 and any(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops):
        raise refuse("'is' and 'in' stand alone; join conditions with and")
    for op, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise refuse("'is' works with null only; use == for a value")
        elif isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List):
                raise refuse("'in' needs a list of numbers, such as 'in (1, 2)'")
            for item in right.elts:
                names |= _check(item, text, known, boolean=False)
        else:
            names |= _check(right, text, known, boolean=False)
    return names


def _value(node: ast.expr, algebra: _Algebra) -> Reading:
    match node:
        case ast.Constant(value=int() | float() as value):
            number = algebra.number(value)
            return lambda given: number
        case ast.Name(id=name):
            null = algebra.null
            return lambda given: given.get(name, null)
        case ast.UnaryOp(operand=operand):
            negated = _value(operand, algebra)
            return lambda given: -negated(given)
        case ast.BinOp(op=op, left=left, right=right):
            function = _ARITHMETIC[type(op)] or algebra.divide
            return _applied(function, _value(left, algebra), _value(right, algebra))
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return _applied(algebra.functions[name], _value(first, algebra), _value(second, algebra))
    raise AssertionError(ast.dump(node))


def _applied(function: Callable[[Any, Any], Any], left: Reading, right: Reading) -> Reading:
    return lambda given: function(left(given), right(given))


def _applied_to(function: Callable[[Any], Any], part: Reading) -> Reading:
    return lambda given: function(part(given))


def _logic(node: ast.expr, algebra: _Algebra) -> Reading:
    match node:
        case ast.BoolOp(op=op, values=values):
            extreme = algebra.both if isinstance(op, ast.And) else algebra.either
            return reduce(partial(_applied, extreme), (_logic(value, algebra) for value in values))
        case ast.UnaryOp(operand=operand):
            return _opposite(_logic(operand, algebra))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip(ops, [left, *rights], rights, strict=False)
            return _all((_compare(op, value, right, algebra) for op, value, right in pairs), algebra)
    raise AssertionError(ast.dump(node))


def _all(parts: Iterable[Reading], algebra: _Algebra) -> Reading:
    return reduce(partial(_applied, algebra.both), parts)


def _opposite(part: Reading) -> Reading:
    return lambda given: 1.0 - part(given)


def _compare(op: ast.cmpop, left: ast.expr, right: ast.expr, algebra: _Algebra) -> Reading:
    value = _value(left, algebra)
    if isinstance(op, ast.Is | ast.IsNot):
        unknown = _applied_to(algebra.is_null, value)
        return unknown if isinstance(op, ast.Is) else _opposite(unknown)
    if isinstance(op, ast.In | ast.NotIn):
        assert isinstance(right, ast.Tuple | ast.List)
        apart = _all((_compare(ast.NotEq(), left, item, algebra) for item in right.elts), algebra)
        return apart if isinstance(op, ast.NotIn) else _opposite(apart)
    return _applied(partial(algebra.related, _COMPARE[type(op)]), value, _value(right, algebra))
