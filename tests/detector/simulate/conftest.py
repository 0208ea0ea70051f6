"""One marketplace of 60,000 orders, simulated once and looked at by every test of the simulator."""

from __future__ import annotations

import duckdb
import pytest

from detector.simulate.market import Market, simulate


@pytest.fixture(scope="session")
def market() -> Market:
    return simulate(60_000, 90, 11)


@pytest.fixture(scope="session")
def con(market: Market) -> duckdb.DuckDBPyConnection:
    """The tables by name, the truth as ``truth`` and ``truth_sellers``."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in market.tables.items():
        connection.register(name, table)
    connection.register("truth", market.truth["orders"])
    connection.register("truth_sellers", market.truth["sellers"])
    return connection
