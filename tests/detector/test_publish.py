"""Publishing: a scan's findings answer from one moment on; the one before stays for whoever reads it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import a_crowd, frames
from replay import quiet_scan
from sqlalchemy import Engine, func, select
from stored_market import a_folder

from detector.errors import InputError
from detector.load import load
from detector.pseudonym import Veil
from detector.publish import publish
from detector.rulebook import load_rulebook
from detector.service import Service, UnknownRecord
from detector.store import snapshots
from detector.store.snapshot_values import VALUES, values

KEY = b"a key of the tests, 32 bytes long"
NOW = datetime(2024, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small crowd's folder and its scan."""
    folder = tmp_path_factory.mktemp("crowd")
    source = a_folder(folder / "in", frames(a_crowd(buyers=120, sellers=10)))
    quiet_scan(source, folder / "out", load_rulebook(None))
    return source, folder / "out"


def generations(store: Engine) -> dict[str, set[int]]:
    with store.connect() as connection:
        return {
            table.name: set(connection.scalars(select(table.c.generation).distinct()))
            for table in (snapshots.SNAPSHOTS, snapshots.SELLERS)
        }


def test_a_scan_answers_from_one_moment_on(store: Engine, market: tuple[Path, Path]) -> None:
    load(store, market[0], Veil(KEY))
    with Service(store, load_rulebook(None), None, KEY) as service:
        with pytest.raises(UnknownRecord, match="seller shop000"):
            service.seller("shop000")
        written = publish(store, market[1], NOW)
        assert service.seller("shop000")["seller_id"] == "shop000"
        snapshot = service.snapshot()
    assert written["snapshot_sellers"] == 10
    assert snapshot is not None
    with store.connect() as connection:
        order = {"seller_id": "shop000", "buyer_id": None}
        found = values(connection, snapshot.groups, [order, {"seller_id": "nobody"}])
    assert found["seller_size"][0] >= 0
    assert found["seller_size"][1] != found["seller_size"][1]


def test_two_generations_are_kept_and_older_ones_go(store: Engine, market: tuple[Path, Path]) -> None:
    load(store, market[0], Veil(KEY))
    for _ in range(3):
        publish(store, market[1], NOW)
    assert set(map(frozenset, generations(store).values())) == {frozenset({2, 3})}
    with store.connect() as connection:
        in_force = connection.scalars(
            select(snapshots.SNAPSHOTS.c.generation).where(snapshots.SNAPSHOTS.c.in_force)
        )
        assert in_force.all() == [3]
        assert connection.scalar(select(func.count()).select_from(VALUES)) > 0


def test_a_publication_that_fails_changes_nothing(
    store: Engine, market: tuple[Path, Path], tmp_path: Path
) -> None:
    load(store, market[0], Veil(KEY))
    publish(store, market[1], NOW)
    with pytest.raises(InputError, match="no output of a scan"):
        publish(store, tmp_path, NOW)
    broken = tmp_path / "out"
    broken.mkdir()
    for path in market[1].rglob("*"):
        target = broken / path.relative_to(market[1])
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    (broken / "sellers.parquet").write_bytes(b"no parquet")
    with pytest.raises(Exception, match="arquet"):
        publish(store, broken, NOW)
    with Service(store, load_rulebook(None), None, KEY) as service:
        found = service.snapshot()
    assert found is not None
    assert found.generation == 1
    publish(store, market[1], NOW)
    assert len(generations(store)["snapshots"]) == 2


def test_keys_that_are_told_twice_are_left_out(
    store: Engine, market: tuple[Path, Path], tmp_path: Path
) -> None:
    load(store, market[0], Veil(KEY))
    out = shutil.copytree(market[1], tmp_path / "out")
    path = out / "snapshot" / "seller_id.parquet"
    told = pq.read_table(path)
    pq.write_table(pa.concat_tables([told, told.slice(0, 1)]), path)
    assert publish(store, out, NOW)["seller_id"] == len(told) - 1
    with store.connect() as connection:
        snapshot = snapshots.current(connection)
        assert snapshot is not None
        found = values(connection, snapshot.groups, told.select(["seller_id"]).to_pylist())
    assert np.isnan(found["seller_size"]).tolist() == [True] + [False] * (len(told) - 1)
    assert found["seller_size"][1:].tolist() == told["seller_size"].to_pylist()[1:]
