"""One running service for the tests that only ask it things."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from serving import Server, prepared, running
from sqlalchemy import create_engine, make_url, text


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service on SQLite with a key for every role."""
    folder = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{folder / 'store.db'}"
    with running(url, prepared(url), folder) as found:
        yield found


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    name = f"t_{uuid4().hex}"
    admin = create_engine(
        make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
