"""The batch's answer for single orders: what the online service must say, computed over whole tables.

Windows look back from each order's own time, row features are what is known at the instant at which each
order is looked at, and snapshot values are joined from a published scan by key. The online service computes
the same by look-ups; the replay test compares the two.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from detector.anomaly import comparable_groups
from detector.recorded import SELLER_SIZE, recorded_features
from detector.scoring import Scorer, Scores
from detector.snapshot import FOLDER, RING_PAIRS, create_lookup_keys
from features.batch import read_features
from features.catalog import CATALOG
from features.keys import IDENTITY
from features.parcels import read_parcels
from features.timing import parcel_times, timing_facts
from models.forest import AnomalyModel

__all__ = ["score_as_of"]

Floats = NDArray[np.float64]


def score_as_of(
    con: duckdb.DuckDBPyConnection, seen_at: Floats, out: Path, scorer: Scorer, model: AnomalyModel | None
) -> tuple[dict[str, Floats], Scores]:
    """The recorded features and the scores of every order, in order of ``o``.

    Parameters
    ----------
    con
        The tables, with what is later than the last look taken out, after ``compute_features``.
    seen_at
        When each order is looked at, seconds since 1970 UTC, shape (orders,).
    out
        The output of the scan that was published then.
    """
    own = [name for name in recorded_features(scorer) if CATALOG[name].kind != "snapshot"]
    features = read_features(con, own)
    if "label_only_days" in features:
        ages = timing_facts(parcel_times(read_parcels(con).columns), seen_at)["label_only_days"]
        features["label_only_days"] = np.where(np.isnan(features["label_only_days"]), np.nan, ages)
    features |= _looked_up(con, out / FOLDER, len(seen_at))
    size = features.pop(SELLER_SIZE)
    groups = comparable_groups(con) | {SELLER_SIZE: np.nan_to_num(size, nan=-1).astype(np.int64)}
    anomaly = None if model is None else model.percentile(features, groups)
    return features, scorer.score(features, len(seen_at), anomaly)


def _looked_up(con: duckdb.DuckDBPyConnection, folder: Path, orders: int) -> dict[str, Floats]:
    """The snapshot's values of every order, NaN where it has none."""
    create_lookup_keys(con)
    columns: dict[str, Floats] = {}
    for path in sorted(folder.glob("*.parquet")):
        if path.stem == RING_PAIRS:
            continue
        key = path.stem.split()
        hidden = ", ".join(part for part in key if part in IDENTITY)
        file = f"read_parquet('{path}')"
        if hidden:
            file = f"(FROM {file} JOIN (SELECT order_id, {hidden} FROM lookup_keys) USING (order_id))"
        names = [name for name in con.sql(f"FROM {file}").columns if name not in {*key, "order_id"}]
        found = con.execute(f"""
            SELECT k.o, {", ".join(names)} FROM lookup_keys k JOIN {file} USING ({", ".join(key)})
        """).fetchnumpy()
        for name in names:
            columns[name] = np.full(orders, np.nan)
            columns[name][found["o"]] = np.ma.filled(np.ma.asarray(found[name], dtype=np.float64), np.nan)
    return columns
