"""Every feature, rule, setting and command is documented, as the code has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import app
from detector.reference import commands_page, features_page, rules_page, settings_page
from detector.rulebook import load_rulebook

DOCS = Path(__file__).parent.parent / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "features": features_page,
    "rules": lambda: rules_page(load_rulebook(None)),
    "settings": settings_page,
    "commands": lambda: commands_page(app, "truetrade"),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str, golden: Callable[[Path, str], None]) -> None:
    golden(DOCS / f"{name}.md", PAGES[name]())


def test_every_option_of_every_command_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in PAGES["commands"]().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row[0] for row in rows if row[-1].strip(" |") in ("", "–")] == []


def test_the_readme_links_every_page() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in readme] == []
