"""Rules are data: a small expression over catalog features, compiled to Python over arrays and over numbers.

The language: comparisons, ``and`` / ``or`` / ``not``, arithmetic, ``in (…)``, ``is null`` / ``is not null``,
``min(a, b)``, ``max(a, b)``, numbers, and the names of catalog features. Logic is three-valued (Kleene): what
depends on a null feature or on a division by zero is unknown, and a rule that is unknown abstains; it neither
fires nor counts as passed.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.errors import PolicyError

__all__ = ["Expression", "RuleSyntaxError", "compile_expression", "evaluate_row"]

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]


def _related(holds: Any, left: Any, right: Any) -> Floats:
    return np.where(np.isnan(left) | np.isnan(right), 0.5, holds)


def _propagating(choose: Callable[[float, float], float], left: float, right: float) -> float:
    return math.nan if left != left or right != right else choose(left, right)


@dataclass(frozen=True, slots=True)
class _Algebra:
    """How a rule is written in Python: with arrays for many orders, with plain numbers for one. Both say the same.

    Truth is Kleene's as numbers, so that and is the smallest and or the largest: 0 false, ½ unknown, 1 true.
    """

    feature: str
    related: str
    is_null: str
    meanings: Mapping[str, Any]
    """What the names in the text mean, beside the features."""


_ARRAYS = _Algebra(
    feature="given.get('{0}', null)",
    related="related({0} {1} {2}, {0}, {2})",
    is_null="isnan({0}).astype(float)",
    meanings={
        "null": np.asarray(np.nan),
        "related": _related,
        "isnan": np.isnan,
        "divide": lambda left, right: np.divide(left, np.where(right == 0, np.nan, right)),
        "least": np.minimum,
        "most": np.maximum,
        "all": lambda *parts: reduce(np.minimum, parts),
        "any": lambda *parts: reduce(np.maximum, parts),
    },
)
_NUMBERS = _Algebra(
    feature="{0}",
    related="(0.5 if {0} != {0} or {2} != {2} else 1.0 if {0} {1} {2} else 0.0)",
    is_null="(1.0 if {0} != {0} else 0.0)",
    meanings={
        "divide": lambda left, right: left / right if right else math.nan,
        "least": partial(_propagating, min),
        "most": partial(_propagating, max),
        "all": min,
        "any": max,
    },
)

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "({0} + {1})",
    ast.Sub: "({0} - {1})",
    ast.Mult: "({0} * {1})",
    ast.Div: "divide({0}, {1})",  # by zero it is unknown
}
_FUNCTIONS = {"min": "least({0}, {1})", "max": "most({0}, {1})"}


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
    _tree: ast.expr = field(repr=False)
    _truth: Callable[[Columns], Floats] = field(repr=False)

    def evaluate(self, columns: Columns) -> Floats:
        """Evaluate on equally long float64 columns; a feature that is not given is null."""
        with np.errstate(invalid="ignore", divide="ignore"):
            truth = np.asarray(self._truth(columns), dtype=np.float64)
            return np.where(truth == 0.5, np.nan, truth)


def evaluate_row(expressions: Sequence[Expression], names: Sequence[str]) -> Callable[..., tuple[float, ...]]:
    """What all of ``expressions`` are of one order, as one function of the features ``names``, NaN where null.

    Its answers are those of ``Expression.evaluate``, but for ½ where a rule is unknown. Of a few orders
    arrays cost more than what is computed.

    >>> rule = compile_expression("a > 2 and b is not null", {"a", "b"})
    >>> evaluate_row([rule], ["a", "b"])(math.nan, 1.0)
    (0.5,)
    """
    said = "".join(f"{_logic(one._tree, _NUMBERS)}, " for one in expressions)
    found: Callable[..., tuple[float, ...]] = _function(", ".join(names), f"({said})", _NUMBERS)
    return found


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
    return Expression(text, frozenset(names), tree, _function("given", _logic(tree, _ARRAYS), _ARRAYS))


def _function(parameters: str, body: str, algebra: _Algebra) -> Any:
    """A function of Python text; nothing but what ``_check`` lets through gets into it."""
    meanings = {**algebra.meanings, "inf": math.inf, "float": float, "__builtins__": {}}
    return eval(f"lambda {parameters}: {body}", meanings)


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


def _value(node: ast.expr, algebra: _Algebra) -> str:
    match node:
        case ast.Constant(value=int() | float() as value):
            return repr(float(value))
        case ast.Name(id=name):
            return algebra.feature.format(name)
        case ast.UnaryOp(operand=operand):
            return f"(-{_value(operand, algebra)})"
        case ast.BinOp(op=op, left=left, right=right):
            return _ARITHMETIC[type(op)].format(_value(left, algebra), _value(right, algebra))
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return _FUNCTIONS[name].format(_value(first, algebra), _value(second, algebra))
    raise AssertionError(ast.dump(node))


def _logic(node: ast.expr, algebra: _Algebra) -> str:
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = ", ".join(_logic(value, algebra) for value in values)
            return f"all({parts})" if isinstance(op, ast.And) else f"any({parts})"
        case ast.UnaryOp(operand=operand):
            return f"(1.0 - {_logic(operand, algebra)})"
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip(ops, [left, *rights], rights, strict=False)
            return _all([_compare(op, value, right, algebra) for op, value, right in pairs])
    raise AssertionError(ast.dump(node))


def _all(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"all({', '.join(parts)})"


def _compare(op: ast.cmpop, left: ast.expr, right: ast.expr, algebra: _Algebra) -> str:
    value = _value(left, algebra)
    if isinstance(op, ast.Is | ast.IsNot):
        unknown = algebra.is_null.format(value)
        return unknown if isinstance(op, ast.Is) else f"(1.0 - {unknown})"
    if isinstance(op, ast.In | ast.NotIn):
        assert isinstance(right, ast.Tuple | ast.List)
        apart = _all([_compare(ast.NotEq(), left, item, algebra) for item in right.elts])
        return apart if isinstance(op, ast.NotIn) else f"(1.0 - {apart})"
    return algebra.related.format(value, _COMPARE[type(op)], _value(right, algebra))
