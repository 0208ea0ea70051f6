"""The database: opened by URL, migrated, durable, with the same instants on every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from detector.store.columns import from_micros, to_micros
from detector.store.database import SchemaOutdated, StoreError, connect, require_current, upgrade
from detector.store.facts import WINDOW_INDEXES
from detector.store.tables import METADATA


def test_migrations_make_exactly_the_tables_of_the_code(store: Engine) -> None:
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    # alembic does not read on which database an index belongs
    elsewhere = WINDOW_INDEXES if store.dialect.name == "sqlite" else []
    assert {(what, one.name) for what, one in differences} == {("add_index", i.name) for i in elsewhere}


def test_a_database_without_tables_is_refused_until_upgraded(database_url: str) -> None:
    engine = connect(database_url)
    with pytest.raises(SchemaOutdated, match="run truetrade db upgrade"):
        require_current(engine)
    upgrade(engine)
    upgrade(engine)
    require_current(engine)
    engine.dispose()


def test_sqlite_commits_survive_a_power_cut(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/name", "nonsense", "sqlite+nonsense:///x"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="database"):
        connect(url)


def test_a_database_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'no' / 'store.db'}")
    with pytest.raises(StoreError, match="cannot be reached"):
        require_current(engine)
    engine.dispose()


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5))])
    )
)
def test_instants_are_exact_to_the_microsecond(instant: datetime) -> None:
    assert from_micros(to_micros(instant)) == instant
