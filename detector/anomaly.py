"""The isolation forest's part in a scan: comparable groups, training on the input's own past, a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import duckdb
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.forest import AnomalyModel

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ORDERS_MODEL, SELLERS_MODEL = "orders", "sellers"
"""Names of the forests in a bundle."""

SEED = 7
TRAINING_SHARE = 0.7
"""The earlier part of the orders on which a forest is trained; what is later is judged by the past."""

CLEAN_BELOW = 0.2
"""Orders at this suspicion or more are left out of what the forest learns as normal."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def comparable_groups(con: duckdb.DuckDBPyConnection) -> dict[str, Codes]:
    """Codes of the groups an order is compared within, coarsest first, in order of ``o``; −1 unknown.

    Expects ``main_product``. The category of that product, the seller's size (powers of four of its orders),
    whether the order came from a live stream, and the week.
    """
    found = con.execute("""
        WITH coded AS (
            SELECT category, (md5_number_lower(category) % 2147483648)::BIGINT AS code
            FROM (SELECT DISTINCT category FROM products WHERE category IS NOT NULL)),
        kind AS (SELECT o, code FROM main_product JOIN products USING (product_id) JOIN coded USING (category)),
        size AS (SELECT seller_id, floor(log2(count(*)) / 2) AS size FROM orders GROUP BY ALL)
        SELECT coalesce(code, -1) AS category,
               size::BIGINT AS seller_size, (channel = 'live')::BIGINT AS live,
               datediff('week', TIMESTAMP '1970-01-01', created_at) AS week
        FROM orders o LEFT JOIN kind USING (o) JOIN size USING (seller_id) ORDER BY o.o
    """).fetchnumpy()
    return {
        name: np.ma.filled(np.ma.asarray(codes, dtype=np.int64), -1).astype(np.int64)
        for name, codes in found.items()
    }


@lru_cache(maxsize=10_000)
def category_code(category: str | None) -> int:
    """Code of a category among the ``comparable_groups``: the same in every market, −1 unknown."""
    if category is None:
        return -1
    return (
        int.from_bytes(hashlib.md5(category.encode(), usedforsecurity=False).digest()[8:], "little") % 2**31
    )


def week_number(instant: datetime) -> int:
    """Code of the week among the ``comparable_groups``: whole weeks since 1970."""
    return (instant - _EPOCH).days // 7


def train(
    features: Mapping[str, Floats], groups: Mapping[str, Codes], suspicion: Floats
) -> AnomalyModel | None:
    """Train on the earlier, unsuspected orders; None where there are too few.

    Arrays are in canonical order, which is time order, of shape (orders,).
    """
    early = np.arange(len(suspicion)) < TRAINING_SHARE * len(suspicion)
    try:
        return AnomalyModel.fit(features, groups, seed=SEED, clean=early & (suspicion < CLEAN_BELOW))
    except TrainingError:
        return None
