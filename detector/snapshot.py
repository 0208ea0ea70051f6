"""What a scan hands to the scoring service: by each key, the last value that was known of it.

``OUT/snapshot`` holds one Parquet file per look-up key (``features.keys``), named by its columns, and
``ring_pairs.parquet``. A key's value is that of its last order, in canonical order, for which the feature is
known. No identifier of a person is written: such a key is named by the ``order_id`` of its last order, and
the store knows the pseudonym.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from detector.recorded import SELLER_SIZE, snapshot_features
from detector.scan import Scan
from detector.scoring import Scorer
from features.catalog import CATALOG
from features.columns import Codes, Rows, group_codes, ordered
from features.keys import DERIVED, IDENTITY, lookup_key

__all__ = ["FOLDER", "RING_PAIRS", "create_lookup_keys", "groups_of", "last_known", "write_snapshot"]

FOLDER = "snapshot"
RING_PAIRS = "ring_pairs"
Floats = NDArray[np.float64]

_KEY_COLUMNS = (
    "order_id", "seller_id", "buyer_id", "creator_id", "campaign_id", *IDENTITY, *DERIVED
)  # fmt: skip


def groups_of(names: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """Look-up key → the features that are found by it."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        groups.setdefault(("seller_id",) if name == SELLER_SIZE else lookup_key(CATALOG[name]), []).append(
            name
        )
    return groups


def write_snapshot(scan: Scan, scorer: Scorer, folder: Path) -> None:
    """Write the snapshot's files into ``folder``, which is made."""
    folder.mkdir()
    create_lookup_keys(scan.con)
    columns = {name: scan.features[name] for name in snapshot_features(scorer) if name in scan.features}
    columns[SELLER_SIZE] = scan.seller_size.astype(np.float64)
    for key, table in last_known(scan.con, columns):
        pq.write_table(table, folder / f"{' '.join(key)}.parquet", compression="zstd")
    pairs = scan.con.sql("""
        SELECT buyer_id, seller_id, arg_max(ring_id, o) AS ring_id, count(*) AS order_count
        FROM orders JOIN order_ring USING (o) GROUP BY ALL ORDER BY ALL
    """)
    pq.write_table(pairs.to_arrow_table(), folder / f"{RING_PAIRS}.parquet", compression="zstd")


def create_lookup_keys(con: duckdb.DuckDBPyConnection) -> None:
    """Create the view ``lookup_keys``: every order's key columns. Expects ``main_product`` and ``order_point``."""
    con.execute(f"""
        CREATE OR REPLACE TEMP VIEW lookup_keys AS
        SELECT o, {", ".join(_KEY_COLUMNS)}
        FROM orders o LEFT JOIN main_product USING (o) LEFT JOIN order_point USING (o)
    """)


def last_known(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, Floats]
) -> Iterable[tuple[tuple[str, ...], pa.Table]]:
    """Per look-up key a table: the key's columns (``order_id`` in place of identifiers) and its last values."""
    known, codes = _codes(con)
    named = ", ".join(part for part in _KEY_COLUMNS if part not in IDENTITY)
    texts = ordered(con.sql(f"SELECT o, {named} FROM lookup_keys").to_arrow_table())
    for key, names in groups_of(columns).items():
        alone = key == _ORDER  # an order is the last of its key
        rows = np.flatnonzero(np.logical_and.reduce([known[part] for part in key]))
        group = rows if alone else group_codes(*(codes[part][rows] for part in key))
        of = np.zeros(int(group.max(initial=-1)) + 1, np.int64)
        of[group] = rows  # the last order of each key
        told = [part for part in key if part not in IDENTITY]
        parts = [*(["order_id"] if len(told) < len(key) else []), *told]
        found = {part: texts[part].take(pa.array(of)) for part in parts}
        some = np.zeros(len(of), dtype=bool)
        for name in names:
            last = columns[name] if alone else _last(columns[name][rows], group)
            some |= ~np.isnan(last)
            found[name] = pa.array(last, from_pandas=True)
        table = pa.table(found)
        yield key, table if some.all() else table.filter(pa.array(some))


_ORDER = ("order_id",)


def _codes(
    con: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, Codes]]:
    """Of every order whether it has each key column, and, but for its own id, codes that tell values apart.

    They are told apart by their 64-bit hashes.
    """
    hashes = ", ".join(
        f"CASE WHEN {part} IS NOT NULL THEN hash({part}) END AS {part}" for part in _KEY_COLUMNS[1:]
    )
    hashed = ordered(con.sql(f"SELECT o, {hashes} FROM lookup_keys").to_arrow_table())
    known = {part: hashed[part].is_valid().to_numpy() for part in hashed.column_names}
    codes = {part: group_codes(hashed[part]) for part in hashed.column_names}
    known["order_id"] = np.ones(len(hashed), bool)
    return known, codes


def _last(values: Floats, group: Codes | Rows) -> Floats:
    """The last known value of each group, NaN where none is."""
    last = np.full(int(group.max(initial=-1)) + 1, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    last[group[known]] = values[known]  # of several the last one stays
    return last
