"""Rules are data: a small expression over catalog features, compiled to numpy.

The language: comparisons, ``and`` / ``or`` / ``not``, arithmetic, ``in (…)``, ``is null`` / ``is not null``,
``min(a, b)``, ``max(a, b)``, numbers, and the names of catalog features. Logic is three-valued (Kleene): what
depends on a null feature or on a division by zero is unknown, and a rule that is unknown abstains; it neither
fires nor counts as passed.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from detector.errors import PolicyError

__all__ = ["Expression", "RuleSyntaxError", "compile_expression"]

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Reading = Callable[[Columns], Floats]

_NULL: Floats = np.asarray(np.nan)

_COMPARE: dict[type[ast.cmpop], Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: np.divide(left, np.where(right == 0, np.nan, right)),
}
_FUNCTIONS: dict[str, Callable[[Floats, Floats], Floats]] = {"min": np.minimum, "max": np.maximum}


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

    def evaluate(self, columns: Columns) -> Floats:
        """Evaluate on equally long float64 columns; a feature that is not given is null."""
        with np.errstate(invalid="ignore", divide="ignore"):
            truth = np.asarray(self._truth(columns), dtype=np.float64)
            return np.where(truth == 0.5, np.nan, truth)


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
    return Expression(text, frozenset(names), _logic(tree))


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
            function in _FUNCTIONS
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


def _value(node: ast.expr) -> Reading:
    match node:
        case ast.Constant(value=value):
            number = np.asarray(value, dtype=np.float64)
            return lambda columns: number
        case ast.Name(id=name):
            return lambda columns: columns.get(name, _NULL)
        case ast.UnaryOp(operand=operand):
            negated = _value(operand)
            return lambda columns: -negated(columns)
        case ast.BinOp(op=op, left=left, right=right):
            return _applied(_ARITHMETIC[type(op)], _value(left), _value(right))
        case ast.Call(func=ast.Name(id=function), args=[first, second]):
            return _applied(_FUNCTIONS[function], _value(first), _value(second))
    raise AssertionError(ast.dump(node))


def _applied(function: Callable[[Floats, Floats], Floats], left: Reading, right: Reading) -> Reading:
    return lambda columns: function(left(columns), right(columns))


def _logic(node: ast.expr) -> Reading:
    """Kleene's logic as numbers, so that and is the smallest and or the largest: 0 false, ½ unknown, 1 true."""
    match node:
        case ast.BoolOp(op=op, values=values):
            extreme = np.minimum if isinstance(op, ast.And) else np.maximum
            return reduce(partial(_applied, extreme), map(_logic, values))
        case ast.UnaryOp(operand=operand):
            return _opposite(_logic(operand))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip(ops, [left, *rights], rights, strict=False)
            return _all(_compare(op, _value(value), right) for op, value, right in pairs)
    raise AssertionError(ast.dump(node))


def _all(parts: Iterable[Reading]) -> Reading:
    return reduce(partial(_applied, np.minimum), parts)


def _opposite(part: Reading) -> Reading:
    return lambda columns: 1.0 - part(columns)


def _is_null(value: Reading) -> Reading:
    return lambda columns: np.isnan(value(columns)).astype(np.float64)


def _compare(op: ast.cmpop, value: Reading, right: ast.expr) -> Reading:
    if isinstance(op, ast.Is | ast.IsNot):
        return _is_null(value) if isinstance(op, ast.Is) else _opposite(_is_null(value))
    if isinstance(op, ast.In | ast.NotIn):
        assert isinstance(right, ast.Tuple | ast.List)
        apart = _all(_compare(ast.NotEq(), value, item) for item in right.elts)
        return apart if isinstance(op, ast.NotIn) else _opposite(apart)
    return _applied(partial(_related, _COMPARE[type(op)]), value, _value(right))


def _related(relation: Callable[[Floats, Floats], NDArray[np.bool_]], left: Floats, right: Floats) -> Floats:
    return np.where(np.isnan(left) | np.isnan(right), 0.5, relation(left, right))
