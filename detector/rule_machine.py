"""All rules of a policy as one program of a small stack machine, and the machine.

The program is postfix: a feature or a number puts its value of every order onto the stack, an operation takes what
it needs off the stack and puts its result there, and at a rule's end its truth is taken off. Numbers are NaN where
unknown; truth is Kleene's as numbers, so that and is the smallest and or the largest: 0 false, ½ unknown, 1 true.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from detector.rules import Expression
from features.compiled import compiled

__all__ = ["Program"]

Floats = NDArray[np.float64]
Hits = NDArray[np.int8]
Steps = list[tuple[int, float]]
Places = Mapping[str, int]

FEATURE, NUMBER, TELL = 0, 1, 2
NEGATE, NOT, IS_NULL = 3, 4, 5
ADD, MULTIPLY, DIVIDE, LEAST, MOST, LESS, AT_MOST, EQUAL = 6, 7, 8, 9, 10, 11, 12, 13
"""What the machine does: with its operand in the program, with the top of the stack, with the two topmost."""

_RELATIONS: dict[type[ast.cmpop], int] = {
    ast.Lt: LESS, ast.LtE: AT_MOST, ast.Gt: LESS, ast.GtE: AT_MOST, ast.Eq: EQUAL, ast.NotEq: EQUAL,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], int] = {ast.Add: ADD, ast.Mult: MULTIPLY, ast.Div: DIVIDE}
_FUNCTIONS = {"min": LEAST, "max": MOST}


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A policy's rules. ``names`` are the features that they read, in the order in which ``judge`` takes them."""

    names: tuple[str, ...]
    _codes: NDArray[np.int64]
    _operands: Floats
    _depth: int

    @classmethod
    def of(cls, rules: Sequence[Expression]) -> Program:
        """One rule after another."""
        names = sorted(set().union(*(rule.names for rule in rules)))
        places = {name: place for place, name in enumerate(names)}
        steps = [
            step for at, rule in enumerate(rules) for step in [*_logic(rule.tree, places), (TELL, float(at))]
        ]
        codes = np.array([code for code, _ in steps], dtype=np.int64)
        operands = np.array([operand for _, operand in steps], dtype=np.float64)
        return cls(tuple(names), codes, operands, _depth(codes))

    def judge(self, columns: Floats, fired: Hits) -> None:
        """Fill in what the rules say of some orders.

        Parameters
        ----------
        columns
            The features, C-contiguous, of shape (``names``, orders); NaN is null.
        fired
            C-contiguous, of shape (orders, rules): 1 fired, 0 not, −1 abstained.
        """
        stack = np.empty((self._depth, columns.shape[1]))
        _judge(self._codes, self._operands, columns, stack, fired)


def _depth(codes: NDArray[np.int64]) -> int:
    """How high the stack gets."""
    pushes, pops = codes <= NUMBER, (codes == TELL) | (codes >= ADD)
    return int(np.cumsum(pushes.astype(int) - pops).max(initial=0))


def _logic(node: ast.expr, places: Places) -> Steps:
    match node:
        case ast.BoolOp(op=op, values=values):
            return _joined(LEAST if isinstance(op, ast.And) else MOST, [_logic(v, places) for v in values])
        case ast.UnaryOp(operand=operand):
            return _then(NOT, _logic(operand, places))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip(ops, [left, *rights], rights, strict=False)
            return _joined(LEAST, [_compare(op, value, right, places) for op, value, right in pairs])
    raise AssertionError(ast.dump(node))


def _compare(op: ast.cmpop, left: ast.expr, right: ast.expr, places: Places) -> Steps:
    match op, right:
        case ((ast.Is() | ast.IsNot()), _):
            steps = _then(IS_NULL, _value(left, places))
        case ((ast.In() | ast.NotIn()), ast.Tuple(elts=items) | ast.List(elts=items)):
            steps = _joined(MOST, [_of_both(EQUAL, left, item, places) for item in items])
        case ((ast.Gt() | ast.GtE()), _):
            steps = _of_both(_RELATIONS[type(op)], right, left, places)
        case _:
            steps = _of_both(_RELATIONS[type(op)], left, right, places)
    return _then(NOT, steps) if isinstance(op, ast.IsNot | ast.NotIn | ast.NotEq) else steps


def _value(node: ast.expr, places: Places) -> Steps:
    match node:
        case ast.Constant(value=int() | float() as value):
            return [(NUMBER, float(value))]
        case ast.Name(id=name):
            return [(FEATURE, float(places[name]))]
        case ast.UnaryOp(operand=operand):
            return _then(NEGATE, _value(operand, places))
        case ast.BinOp(op=ast.Sub(), left=left, right=right):  # a − b is a + (−b) to the last bit
            return _then(ADD, _value(left, places), _then(NEGATE, _value(right, places)))
        case ast.BinOp(op=op, left=left, right=right):
            return _of_both(_ARITHMETIC[type(op)], left, right, places)
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return _of_both(_FUNCTIONS[name], first, second, places)
    raise AssertionError(ast.dump(node))


def _of_both(code: int, left: ast.expr, right: ast.expr, places: Places) -> Steps:
    return _then(code, _value(left, places), _value(right, places))


def _joined(code: int, parts: Sequence[Steps]) -> Steps:
    return reduce(partial(_then, code), parts)


def _then(code: int, *parts: Steps) -> Steps:
    """The parts, and then an operation on what they leave on the stack."""
    return [*chain(*parts), (code, 0.0)]


@compiled
def _judge(codes: NDArray[np.int64], operands: Floats, columns: Floats, stack: Floats, fired: Hits) -> None:
    """Run the program for all orders at once, each operation over all of them."""
    top = -1
    for at in range(len(codes)):
        code = codes[at]
        if code == FEATURE:
            top += 1
            feature = int(operands[at])
            for o in range(stack.shape[1]):
                stack[top, o] = columns[feature, o]
        elif code == NUMBER:
            top += 1
            for o in range(stack.shape[1]):
                stack[top, o] = operands[at]
        elif code == TELL:
            _tell(stack[top], fired, int(operands[at]))
            top -= 1
        elif code <= IS_NULL:
            _of_one(code, stack[top])
        else:
            top -= 1
            _of_two(code, stack[top], stack[top + 1])


@compiled
def _tell(truth: Floats, fired: Hits, rule: int) -> None:
    """Without a branch: which way it would go is different from order to order."""
    for o in range(len(truth)):
        fired[o, rule] = int(truth[o] == 1.0) - int(truth[o] == 0.5)


@compiled
def _of_one(code: int, x: Floats) -> None:
    if code == NEGATE:
        for o in range(len(x)):
            x[o] = -x[o]
    elif code == NOT:
        for o in range(len(x)):
            x[o] = 1.0 - x[o]
    else:
        for o in range(len(x)):
            x[o] = 1.0 if x[o] != x[o] else 0.0


@compiled
def _of_two(code: int, x: Floats, y: Floats) -> None:
    """Replace ``x`` by the operation's result; a division by zero is unknown."""
    if code == ADD:
        for o in range(len(x)):
            x[o] += y[o]
    elif code == MULTIPLY:
        for o in range(len(x)):
            x[o] *= y[o]
    elif code == DIVIDE:
        for o in range(len(x)):
            x[o] = x[o] / y[o] if y[o] != 0.0 else np.nan
    elif code == LEAST:
        for o in range(len(x)):
            x[o] = _either(x[o], y[o], x[o] < y[o])
    elif code == MOST:
        for o in range(len(x)):
            x[o] = _either(x[o], y[o], x[o] > y[o])
    else:
        _relate(code, x, y)


@compiled
def _relate(code: int, x: Floats, y: Floats) -> None:
    """Replace ``x`` by the truth of its relation to ``y``."""
    if code == LESS:
        for o in range(len(x)):
            x[o] = _truth(x[o], y[o], x[o] < y[o])
    elif code == AT_MOST:
        for o in range(len(x)):
            x[o] = _truth(x[o], y[o], x[o] <= y[o])
    else:
        for o in range(len(x)):
            x[o] = _truth(x[o], y[o], x[o] == y[o])


@compiled
def _truth(x: float, y: float, holds: bool) -> float:
    """Kleene's, as a number."""
    return 0.5 if (x != x) | (y != y) else 1.0 if holds else 0.0


@compiled
def _either(x: float, y: float, first: bool) -> float:
    """The first or the second; NaN where one is."""
    return x if first | (x != x) else y
