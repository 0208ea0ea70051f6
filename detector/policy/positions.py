"""Where each key of a TOML document stands, so that an error can name its line and quote the text.

``tomllib`` gives values without positions. This walks a document that ``tomllib`` has already accepted,
so it only has to be right for valid TOML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Path", "Span", "locate", "positions"]

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
_QUOTES = ('"""', "'''", '"', "'")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the document: its 1-based line and its text, cut to one readable line."""

    line: int
    text: str


def locate(text: str, path: Path) -> Span:
    """The span of ``path``, or of its nearest parent that stands in the document (line 1 if none does)."""
    found = positions(text)
    while path and path not in found:
        path = path[:-1]
    start, end = found.get(path, (0, 0))
    quoted = " ".join(text[start:end].split())
    return Span(text.count("\n", 0, start) + 1, quoted if len(quoted) <= 100 else quoted[:97] + "...")


def positions(text: str) -> dict[Path, tuple[int, int]]:
    """Path of every table, key and array element → start and end offset in ``text``."""
    walker = _Walker(text)
    walker.document()
    return walker.found


class _Walker:
    """A cursor over the text; every method leaves it behind what it has read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, tuple[int, int]] = {}
        self.last_index: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self.skip_blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip_blank()

    def header(self) -> Path:
        start = self.at
        is_array = self.text.startswith("[[", start)
        self.at += 2 if is_array else 1
        path = self.inside_arrays(self.keys())
        self.at += 2 if is_array else 1
        if is_array:
            self.last_index[path] = self.last_index.get(path, -1) + 1
            path = (*path, self.last_index[path])
        self.found[path] = (start, self.at)
        return path

    def inside_arrays(self, keys: Path) -> Path:
        """``[a.b]`` below ``[[a]]`` means the latest element of ``a``."""
        path: Path = ()
        for depth, key in enumerate(keys):
            path = (*path, key)
            if path in self.last_index and depth < len(keys) - 1:
                path = (*path, self.last_index[path])
        return path

    def pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self.keys())
        self.at += 1  # the equals sign
        self.skip_blank()
        self.value(path)
        self.found[path] = (start, self.at)

    def keys(self) -> Path:
        """A dotted key; stops at the ``=`` or ``]`` behind it."""
        parts: list[str] = []
        while True:
            self.skip_blank()
            if self.text[self.at] in "\"'":
                parts.append(self.string()[1:-1])
            else:
                match = _BARE_KEY.match(self.text, self.at)
                parts.append(match.group() if match else "")
                self.at = match.end() if match else self.at + 1
            self.skip_blank()
            if self.text[self.at] != ".":
                return tuple(parts)
            self.at += 1

    def value(self, path: Path) -> None:
        start = self.at
        first = self.text[start]
        if first in "\"'":
            self.string()
        elif first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        else:
            match = _SCALAR.match(self.text, start)
            self.at = start + (len(match.group().rstrip()) if match else 1)
        self.found[path] = (start, self.at)

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.next_element("]"):
            self.value((*path, index))
            index += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while self.next_element("}"):
            self.pair(path)

    def next_element(self, closing: str) -> bool:
        """Step over blanks and commas; False when the closing bracket has been read."""
        self.skip_blank()
        while self.text[self.at] == ",":
            self.at += 1
            self.skip_blank()
        if self.text[self.at] == closing:
            self.at += 1
            return False
        return True

    def string(self) -> str:
        start = self.at
        quote = next(q for q in _QUOTES if self.text.startswith(q, start))
        self.at += len(quote)
        while not self.text.startswith(quote, self.at):
            escaped = quote[0] == '"' and self.text[self.at] == "\\"
            self.at += 2 if escaped else 1
        self.at += len(quote)
        while len(quote) == 3 and self.text.startswith(quote[0], self.at):
            self.at += 1  # up to two quotes may stand directly before the closing three
        return self.text[start : self.at]

    def skip_blank(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return
