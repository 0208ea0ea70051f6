"""Every key, element and table of a TOML document is found where it stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from detector.policy.loader import DEFAULT_POLICY
from detector.policy.positions import Path, locate, positions

DOCUMENT = '''\
# a comment with [brackets] = "and quotes
title = "escaped \\" quote ] }" # and a comment
"quoted key".inner = 1
[table]
list = [
    1, # one
    [2, 3], "four, ]",
]
inline = { a = 1, b = { c = "x" } }
[table.child]
text = """
[not.a.table]
key = "not a key"
ends with quotes"""""
literal = \'\'\'it's ] here\'\'\'
[[array]]
name = 'first'
[[array]]
name = "second"
when = 2024-03-01T00:00:00Z
[array.sub]
value = -1.5e3
'''


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Every path that the parsed document has, found independently by walking its values."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ({path} if path else set()).union(*(paths(inner, (*path, key)) for key, inner in items))


@pytest.mark.parametrize("text", [DOCUMENT, DEFAULT_POLICY.read_text(encoding="utf-8")])
def test_every_key_and_element_reads_back_as_its_value(text: str):
    data = tomllib.loads(text)
    found = positions(text)
    # Tables that are only named inside a longer header or dotted key have no place of their own.
    assert all(any(other[: len(path)] == path for other in found) for path in paths(data))
    for path, (start, end) in found.items():
        piece, value = text[start:end], at(data, path)
        if not (isinstance(value, dict) and piece.startswith("[")):
            assert read_back(piece, path) == value


def at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def read_back(piece: str, path: Path) -> Any:
    """What the piece says on its own: an array's element is a value, everything else ``key = value``."""
    if isinstance(path[-1], int):
        return tomllib.loads(f"value = {piece}")["value"]
    read: Any = tomllib.loads(piece)
    while path[-1] not in read:
        (read,) = read.values()
    return read[path[-1]]


@pytest.mark.parametrize(
    ("path", "line", "text"),
    [
        (("title",), 2, 'title = "escaped \\" quote ] }"'),
        (("quoted key", "inner"), 3, '"quoted key".inner = 1'),
        (("table",), 4, "[table]"),
        (("table", "list", 1, 1), 7, "3"),
        (("table", "list", 2), 7, '"four, ]"'),
        (("table", "inline", "b", "c"), 9, 'c = "x"'),
        (("table", "child", "literal"), 15, "literal = '''it's ] here'''"),
        (("array", 0, "name"), 17, "name = 'first'"),
        (("array", 1), 18, "[[array]]"),
        (("array", 1, "when"), 20, "when = 2024-03-01T00:00:00Z"),
        (("array", 1, "sub", "value"), 22, "value = -1.5e3"),
        (("table", "child", "absent", 5), 10, "[table.child]"),
        (("absent",), 1, ""),
    ],
)
def test_a_path_is_located(path: Path, line: int, text: str):
    span = locate(DOCUMENT, path)
    assert (span.line, span.text) == (line, text)


def test_a_long_text_is_cut():
    span = locate(f'message = "{"x" * 500}"', ("message",))
    assert len(span.text) == 100
    assert span.text.endswith("...")
