"""Affiliate checks (being written)."""

from datetime import datetime

import duckdb

from features.declare import Feature

FEATURES: tuple[Feature, ...] = ()


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_affiliate``."""
    con.execute("CREATE OR REPLACE TABLE f_affiliate AS SELECT o FROM orders")
