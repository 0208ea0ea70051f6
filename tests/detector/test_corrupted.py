"""A corrupted copy of a market: every bad row, and no other, is rejected with its reason; the rest goes on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from detector.contract import INPUT_TABLES, Column, Table
from detector.job import Job, plan, run_job
from detector.progress import Stages
from detector.rulebook import load_rulebook
from detector.simulate.market import simulate, write_market

# (value, words of the reason) that break each kind of column
UNPARSABLE = {"timestamp": "yesterday", "int": "many", "float": "north", "bool": "perhaps"}
SHOULD = {
    "timestamp": "must be an ISO 8601 time",
    "int": "must be an integer",
    "float": "must be a number",
    "bool": "must be true, false, 1 or 0",
}
IMPOSSIBLE = (
    ("2024-02-30T10:00:00Z", "must be an ISO 8601 time"),
    ("1970-01-01T00:00:00Z", "must lie between 1990 and 2199"),
)
REPEATED = "an earlier row has this key and other content"
NAMED_BY = {"account_identifiers": "account_id", "labels": "subject_id"}
"""The key column that takes any text, where it is not the first."""


@dataclass(frozen=True)
class Bad:
    """A bad row of a table: what is wrong in which column, and the words that must name it."""

    table: str
    changes: dict[str, str]
    column: str
    words: str


def bad_values(column: Column) -> Iterator[tuple[str, str]]:
    if column.required:
        yield "", f"{column.name} is missing"
    if column.kind in UNPARSABLE:
        yield UNPARSABLE[column.kind], SHOULD[column.kind]
    if column.kind == "timestamp":
        yield from IMPOSSIBLE
    if column.minimum is not None and column.maximum is not None:
        low, high = f"{column.minimum:g}", f"{column.maximum:g}"
        yield f"{column.minimum - 1:g}", f"must be from {low} to {high}"
        yield f"{column.maximum + 1:g}", f"must be from {low} to {high}"
    elif column.minimum is not None:
        yield f"{column.minimum - 1:g}", f"must be {column.minimum:g} or more"
    if column.enum:
        yield "NONE_OF_THESE", f"must be one of {column.enum[0]}"
    if column.kind == "currency":
        yield "ZZZ", "must be an ISO 4217 currency code"
    if column.kind == "country":
        yield "ZZ", "must be an ISO 3166-1 alpha-2 country code"


def bad_rows(table: Table) -> Iterator[Bad]:
    named_by = NAMED_BY.get(table.name, table.column_names[0])
    number = 0
    for column in table.columns:
        for value, words in bad_values(column):
            number += 1
            yield Bad(table.name, {named_by: f"bad-{number}"} | {column.name: value}, column.name, words)


def corrupted(
    frame: pd.DataFrame, table: Table, chance: np.random.Generator
) -> tuple[pd.DataFrame, dict[int, Bad]]:
    """The frame with every bad row somewhere in it, a repeated key with other content, an exact repetition;
    and the bad rows by row number.
    """
    bad = list(bad_rows(table))
    model = frame.iloc[len(frame) // 2]
    rows = [dict(model) | one.changes for one in bad]
    free = [column.name for column in table.columns if column.name not in table.key and not bad_kind(column)]
    if table.key and free:
        bad.append(Bad(table.name, {free[0]: "other"}, ", ".join(table.key), REPEATED))
        rows.append(dict(model) | bad[-1].changes)
    rows.append(dict(model))
    last = len(frame) // 2 + 1  # the first of equal keys stays: what repeats it comes later
    places = np.sort(chance.integers(last, len(frame) + 1, len(rows)))
    numbers = {int(place) + n + 1: one for n, (place, one) in enumerate(zip(places, bad, strict=False))}
    pieces, start = [], 0
    for place, row in zip(places, rows, strict=True):
        pieces += [frame.iloc[start:place], pd.DataFrame([row])]
        start = int(place)
    return pd.concat([*pieces, frame.iloc[start:]], ignore_index=True), numbers


def bad_kind(column: Column) -> bool:
    return column.kind != "string" or bool(column.enum)


@dataclass(frozen=True)
class Scanned:
    """The bad rows by (table, row), and what a scan of the copy and one of the market itself made of them."""

    bad: dict[tuple[str, int], Bad]
    rejects: pd.DataFrame
    orders: pd.DataFrame
    manifest: dict[str, Any]
    clean_orders: pd.DataFrame
    clean_manifest: dict[str, Any]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    folder = tmp_path_factory.mktemp("corrupted")
    write_market(simulate(1000, 30, 9, fake_share=0.1), folder / "input")
    chance, bad = np.random.default_rng(4), {}
    (folder / "bad").mkdir()
    for name, table in INPUT_TABLES.items():
        frame = as_text(pd.read_parquet(folder / "input" / "market" / f"{name}.parquet"))
        frame = frame.reindex(columns=table.column_names, fill_value="")
        if name == "labels":
            frame = frame.head(0)  # an optional table without rows
        else:
            frame, numbers = corrupted(frame, table, chance)
            bad |= {(name, row): one for row, one in numbers.items()}
        write_awkwardly(frame, folder / "bad" / f"{name}.csv", name)
    rejects, orders, manifest = scan(folder / "bad", folder / "out")
    _, clean_orders, clean_manifest = scan(folder / "input" / "market", folder / "clean")
    return Scanned(bad, rejects, orders, manifest, clean_orders, clean_manifest)


def scan(source: Path, out: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Rejects, orders and manifest."""
    with Stages(plan(), Console(quiet=True)) as stages:
        run_job(Job(source, out), load_rulebook(None), stages)
    rejects, orders = (pd.read_parquet(out / f"{name}.parquet") for name in ("rejects", "orders"))
    return rejects, orders, json.loads((out / "manifest.json").read_text())


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every value as CSV text; missing is empty."""
    return frame.astype(object).map(lambda value: "" if pd.isna(value) else str(value))


def write_awkwardly(frame: pd.DataFrame, path: Path, table: str) -> None:
    """With a byte order mark, with CRLF, or with line breaks in a text."""
    if table == "reports":
        frame = frame.assign(text=frame["text"] + '\r\nand a "second" line, with a comma\n')
    encoding = "utf-8-sig" if table in ("orders", "order_items") else "utf-8"
    frame.to_csv(path, index=False, encoding=encoding, lineterminator="\r\n" if table == "orders" else "\n")


def test_each_bad_row_and_no_other_is_rejected(scanned: Scanned) -> None:
    found = {(row.table, row.row): row for row in scanned.rejects.itertuples()}
    assert len(found) == len(scanned.rejects)
    assert set(found) == set(scanned.bad)
    for place, bad in scanned.bad.items():
        row = found[place]
        assert row.file == f"{bad.table}.csv"
        assert row.column == bad.column
        assert bad.words in row.reason


def test_every_kind_of_bad_row_that_the_contract_names_was_there(scanned: Scanned) -> None:
    kinds = (
        "is missing",
        *SHOULD.values(),
        "1990 and 2199",
        REPEATED,
        "0 or more",
        "from 1 to 5",
        "must be one of",
    )
    seen = defaultdict(set)
    for bad in scanned.bad.values():
        for kind in (*kinds, "ISO 4217", "ISO 3166"):
            if kind in bad.words:
                seen[kind].add(bad.table)
    assert set(seen) == {*kinds, "ISO 4217", "ISO 3166"}
    assert len(scanned.bad) > 150


def test_rows_in_are_rows_kept_rejected_or_deduplicated(scanned: Scanned) -> None:
    bad = pd.Series([table for table, _ in scanned.bad]).value_counts().to_dict()
    for table, counts in scanned.manifest["tables"].items():
        rows = scanned.clean_manifest["tables"][table]["rows_kept"] if table in bad else 0
        rejected, again = bad.get(table, 0), int(table in bad)
        assert list(counts.values()) == [rows + rejected + again, rows, rejected, again], table
    assert scanned.manifest["orders_scored"] == len(scanned.orders) == 1000


def test_what_is_left_is_scored_as_the_clean_market(scanned: Scanned) -> None:
    pd.testing.assert_frame_equal(scanned.orders, scanned.clean_orders)
