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
from features.keys import IDENTITY, lookup_key

__all__ = ["FOLDER", "RING_PAIRS", "create_lookup_keys", "groups_of", "last_known", "write_snapshot"]

FOLDER = "snapshot"
RING_PAIRS = "ring_pairs"
Floats = NDArray[np.float64]


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
    """Create ``lookup_keys``: every order's key columns. Expects ``main_product`` and ``order_point``."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE lookup_keys AS
        SELECT o.o, o.order_id, seller_id, buyer_id, creator_id, campaign_id, device_id, ip_address, payment_id,
               product_id, point_id
        FROM orders o LEFT JOIN main_product USING (o) LEFT JOIN order_point USING (o)
    """)


def last_known(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, Floats]
) -> Iterable[tuple[tuple[str, ...], pa.Table]]:
    """Per look-up key a table: the key's columns (``order_id`` in place of identifiers) and its last values."""
    con.register("snapshot_columns", pa.table({"o": np.arange(len(next(iter(columns.values())))), **columns}))
    for key, names in groups_of(columns).items():
        last = ", ".join(f"arg_max({name}, o) FILTER (NOT isnan({name})) AS {name}" for name in names)
        told = [part for part in key if part not in IDENTITY]
        named = ["order_id"] if len(told) < len(key) else []
        last += ", arg_max(order_id, o) AS order_id" if named else ""
        yield (
            key,
            con.sql(f"""
            SELECT {", ".join([*named, *told, *names])} FROM (
                SELECT {", ".join(key)}, {last} FROM lookup_keys JOIN snapshot_columns USING (o)
                WHERE {" AND ".join(f"{part} IS NOT NULL" for part in key)} GROUP BY {", ".join(key)})
            WHERE {" OR ".join(f"{name} IS NOT NULL" for name in names)} ORDER BY {", ".join([*told, *named])}
        """).to_arrow_table(),
        )
    con.unregister("snapshot_columns")
