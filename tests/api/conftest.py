"""One running service for the tests that only ask it things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Server, prepared, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service on SQLite with a key for every role."""
    folder = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{folder / 'store.db'}"
    with running(url, prepared(url), folder) as found:
        yield found
