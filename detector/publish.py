"""Publishing a scan: its snapshot, verdicts and rings become what the service looks up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, Table, insert

from detector.drift import score_shares
from detector.errors import InputError
from detector.snapshot import FOLDER, RING_PAIRS
from detector.store import snapshots
from detector.store.known import identities
from detector.store.prepared import Prepared
from detector.store.snapshot_values import NO_KEY, VALUES, Group, Groups
from detector.store.vectors import pack_rows
from features.keys import IDENTITY

__all__ = ["publish"]

BLOCK = 10_000
"""Rows per transaction while a generation is written: scoring waits for one of them at most."""


def publish(engine: Engine, out: Path, now: datetime) -> dict[str, int]:
    """Put a scan's output in force; generations before the one that it supersedes are removed.

    Returns the rows written per table. A key of identifiers whose order the store does not have is left out.

    Raises
    ------
    InputError
        ``out`` is no output of a scan with a snapshot.
    """
    manifest = _manifest(out)
    files = sorted(path for path in (out / FOLDER).glob("*.parquet") if path.stem != RING_PAIRS)
    groups = [(path.stem.split(), _features(path)) for path in files]
    with engine.begin() as connection:
        snapshots.forget_stale(connection)
        as_of = datetime.fromisoformat(manifest["as_of"])
        generation = snapshots.begin(connection, as_of, now, groups, _score_shares(out))
    written = {}
    for place, (path, (key, names)) in enumerate(zip(files, groups, strict=True)):
        group = Groups(generation, [Group(place, tuple(key), tuple(names))])
        written[path.stem] = _write(engine, VALUES, _values(engine, path, group))
    for table, rows in (
        (snapshots.SELLERS, _sellers(out)),
        (snapshots.RINGS, _rings(out)),
        (snapshots.RING_PAIRS, _blocks(out / FOLDER / f"{RING_PAIRS}.parquet")),
    ):
        marked = ([{**row, "generation": generation} for row in block] for block in rows)
        written[table.name] = _write(engine, table, marked)
    with engine.begin() as connection:
        snapshots.put_in_force(connection, generation)
    return written


def _manifest(out: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{out} is no output of a scan; publish takes the folder that scan --out wrote"
        ) from None
    if not (out / FOLDER).is_dir():
        raise InputError(f"{out} has no {FOLDER} folder; scan again with this version")
    return found


def _score_shares(out: Path) -> list[float]:
    scores = pq.read_table(out / "orders.parquet", columns=["score"])["score"]
    return score_shares(scores.to_numpy())


def _write(engine: Engine, table: Table, blocks: Iterable[list[dict[str, Any]]]) -> int:
    total, inserting = 0, Prepared(engine.dialect.name, insert(table))
    for block in blocks:
        with engine.begin() as connection:
            inserting.run(connection, block)
        total += len(block)
    return total


def _blocks(path: Path) -> Iterator[list[dict[str, Any]]]:
    for batch in pq.ParquetFile(path).iter_batches(BLOCK):
        yield batch.to_pylist(maps_as_pydicts="strict")


def _features(path: Path) -> list[str]:
    key = {*path.stem.split(), "order_id"}
    return [name for name in pq.read_schema(path).names if name not in key]


def _values(engine: Engine, path: Path, group: Groups) -> Iterator[list[dict[str, Any]]]:
    """The rows of a group as they are stored, in their order: appending costs less than filling at random."""
    numbers, data = [np.empty(0, np.int64)], list[bytes]()
    for batch in pq.ParquetFile(path).iter_batches(BLOCK):
        columns = [
            batch[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in group.names.in_turn
        ]
        data += pack_rows(np.column_stack(columns))
        numbers.append(group.numbers(_keys(engine, group, batch))[:, 0])
    found, rows, times = np.unique(np.concatenate(numbers), return_index=True, return_counts=True)
    is_clear = (found != NO_KEY) & (times == 1)
    found, rows = found[is_clear], rows[is_clear]
    for begin in range(0, len(found), BLOCK):
        block = slice(begin, begin + BLOCK)
        yield [
            {"number": number, "data": data[row]}
            for number, row in zip(found[block].tolist(), rows[block].tolist(), strict=True)
        ]


def _keys(engine: Engine, group: Groups, batch: pa.RecordBatch) -> list[str | None]:
    """The key columns, one after another; identifiers as the store has them for the row's order, null where none."""
    stored: Mapping[str, Mapping[str, Any]] = {}
    if set(group.columns) & set(IDENTITY):
        with engine.connect().execution_options(reads_only=True) as connection:
            stored = identities(connection, batch["order_id"].to_pylist())
    found: list[str | None] = []
    for part in group.columns:
        if part in IDENTITY:
            found += [stored.get(order_id, {}).get(part) for order_id in batch["order_id"].to_pylist()]
        else:
            found += batch[part].to_pylist()
    return found


def _sellers(out: Path) -> Iterator[list[dict[str, Any]]]:
    for block in _blocks(out / "sellers.parquet"):
        yield [
            {**{name: row[name] for name in ("seller_id", "score", "recommendation")}, "verdict": row}
            for row in block
        ]


def _rings(out: Path) -> Iterator[list[dict[str, Any]]]:
    for block in _blocks(out / "rings.parquet"):
        yield [{"ring_id": row["ring_id"], "facts": _plain(row)} for row in block]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as JSON has it: instants in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
