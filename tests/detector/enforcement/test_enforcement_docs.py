"""The page's tables are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.enforcement_tables import TABLES, fill

PAGE = Path(__file__).parents[3] / "docs" / "enforcement.md"


def test_the_page_is_what_the_generator_would_write():
    page = PAGE.read_text(encoding="utf-8")
    assert fill(page) == page, "run: python -m detector.enforcement_tables docs/enforcement.md"


def test_the_page_shows_every_table():
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- table {name} -->" in page for name in TABLES)


def test_a_table_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        fill("<!-- table of contents -->\n<!-- end -->")
