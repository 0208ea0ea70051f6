"""Rules are data: a small expression over catalog features, parsed and checked; ``rule_machine`` judges by them.

The language: comparisons, ``and`` / ``or`` / ``not``, arithmetic, ``in (…)``, ``is null`` / ``is not null``,
``min(a, b)``, ``max(a, b)``, numbers, and the names of catalog features. Logic is three-valued (Kleene): what
depends on a null feature or on a division by zero is unknown, and a rule that is unknown abstains; it neither
fires nor counts as passed.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from detector.errors import PolicyError

__all__ = ["Expression", "RuleSyntaxError", "compile_expression"]

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_FUNCTIONS = ("min", "max")


class RuleSyntaxError(PolicyError):
    """A rule's ``when`` cannot be used. ``start`` and ``end`` are the offending span in the expression."""

    def __init__(self, what: str, expression: str, start: int, end: int) -> None:
        self.expression, self.start, self.end = expression, start, end
        pointer = " " * start + "^" * max(end - start, 1)
        super().__init__(f"{what}\n    {expression}\n    {pointer}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked condition: ``names`` are the features it reads, ``tree`` has nothing but what the language has."""

    names: frozenset[str]
    tree: ast.expr = field(repr=False)


def compile_expression(text: str, known: Collection[str]) -> Expression:
    """Parse and check a ``when`` expression against the names of the catalog.

    Raises
    ------
    RuleSyntaxError
        Naming the span that is wrong, and for an unknown feature the nearest names there are.

    >>> rule = compile_expression("a > 2 and b is not null", {"a", "b"})
    >>> sorted(rule.names)
    ['a', 'b']
    """
    source = _null_to_none(text)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        at = max((error.offset or 1) - 1, 0)
        raise RuleSyntaxError(f"cannot read the rule: {error.msg}", text, at, at + 1) from None
    names = _check(tree, text, known, boolean=True)
    return Expression(frozenset(names), tree)


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
        case ast.BinOp(op=op, left=left, right=right) if isinstance(op, _ARITHMETIC):
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
            if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
                raise refuse("'in' needs a list of numbers, such as 'in (1, 2)'")
            for item in right.elts:
                names |= _check(item, text, known, boolean=False)
        else:
            names |= _check(right, text, known, boolean=False)
    return names
