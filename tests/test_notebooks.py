"""The notebooks run from top to bottom, without warnings, and show what they say they show."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
PLOTLY = "application/vnd.plotly.v1+json"


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def executed(name: str, *added: str) -> list[NotebookNode]:
    """The outputs of a notebook, and of code added to its end; fails where a cell does."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    notebook.cells += [new_code_cell(source) for source in added]
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return outputs(notebook)


def assert_shows(shown: list[NotebookNode], pictures: int) -> None:
    """So many figures with something in them, and nothing printed, warned of or failed."""
    assert [output for output in shown if output.output_type in ("stream", "error")] == []
    figures = [output.data[PLOTLY] for output in shown if PLOTLY in output.data]
    assert len(figures) == pictures
    assert all(figure["data"] for figure in figures)


def test_a_day_of_orders() -> None:
    assert_shows(executed("01_a_day_of_orders.ipynb"), pictures=5)


def test_anatomy_of_a_ring_tells_nobodys_identifiers() -> None:
    *shown, told = executed(
        "02_anatomy_of_a_ring.ipynb",
        "print('\\n'.join(market.tables['account_identifiers']['identifier_value'].to_pylist()))",
    )
    assert_shows(shown, pictures=3)
    identifiers = set(told.text.split("\n")) - {""}
    assert len(identifiers) > 1_000
    text = json.dumps(shown)
    assert [value for value in identifiers if value in text] == []


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {None}
