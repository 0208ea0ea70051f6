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
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from detector.errors import PolicyError

__all__ = ["Expression", "RuleSyntaxError", "compile_expression"]

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

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
    tree: ast.expr

    def evaluate(self, columns: Columns) -> Floats:
        """Evaluate on equally long float64 columns; a feature that is not given is null."""
        with np.errstate(invalid="ignore", divide="ignore"):
            truth = np.asarray(_logic(self.tree, columns), dtype=np.float64)
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
    return Expression(text, frozenset(names), tree)


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


def _value(node: ast.expr, columns: Columns) -> Floats:
    match node:
        case ast.Constant(value=value):
            return np.float64(value)  # type: ignore[return-value, arg-type]
        case ast.Name(id=name):
            return columns.get(name, np.float64(np.nan))  # type: ignore[arg-type]
        case ast.UnaryOp(operand=operand):
            return -_value(operand, columns)
        case ast.BinOp(op=op, left=left, right=right):
            return _ARITHMETIC[type(op)](_value(left, columns), _value(right, columns))
        case ast.Call(func=ast.Name(id=function), args=[first, second]):
            return _FUNCTIONS[function](_value(first, columns), _value(second, columns))
    raise AssertionError(ast.dump(node))


def _logic(node: ast.expr, columns: Columns) -> Floats:
    """Kleene's logic as numbers, so that and is the smallest and or the largest: 0 false, ½ unknown, 1 true."""
    match node:
        case ast.BoolOp(op=op, values=values):
            extreme = np.minimum if isinstance(op, ast.And) else np.maximum
            return reduce(extreme, [_logic(part, columns) for part in values])
        case ast.UnaryOp(operand=operand):
            return 1.0 - _logic(operand, columns)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip(ops, [left, *rights], rights, strict=False)
            answers = [_compare(op, _value(value, columns), right, columns) for op, value, right in pairs]
            return reduce(np.minimum, answers)
    raise AssertionError(ast.dump(node))


def _compare(op: ast.cmpop, value: Floats, right: ast.expr, columns: Columns) -> Floats:
    missing = np.isnan(value)
    if isinstance(op, ast.Is | ast.IsNot):
        return (missing if isinstance(op, ast.Is) else ~missing).astype(np.float64)
    if isinstance(op, ast.In | ast.NotIn):
        assert isinstance(right, ast.Tuple | ast.List)
        apart = reduce(np.minimum, [_compare(ast.NotEq(), value, item, columns) for item in right.elts])
        return apart if isinstance(op, ast.NotIn) else 1.0 - apart
    other = _value(right, columns)
    return np.where(missing | np.isnan(other), 0.5, _COMPARE[type(op)](value, other))
