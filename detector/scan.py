"""A scan: a folder of orders in; scores, sellers, rings, rejects, a report and a manifest out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.anomaly import ORDERS_MODEL, SELLERS_MODEL, comparable_groups, train
from detector.errors import InputError
from detector.ingest import Ingested
from detector.policy.schema import Policy
from detector.rings import find_rings
from detector.scoring import ALLOW, Evidence, Scorer, Scores
from detector.sellers import OrderScores, judge_sellers
from detector.strange_sellers import StrangeSellers, compare_sellers, figures_of, ranked
from features.batch import compute_features, drop_features, forget_after, read_features
from features.neighbours import Neighbours, neighbour_keys
from features.together import side_by_side
from models.forest import AnomalyModel
from models.measures import SELLER_FEATURES

Floats = NDArray[np.float64]
Stage = Callable[[str], AbstractContextManager[object]]

THREADS = 2
"""Threads of the forest; the percentiles are the same for any number."""

NEIGHBOUR_ROUNDS = 2
"""Times that suspicion travels one step further through the neighbourhoods."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found, before anything is written.

    ``rows`` are the canonical ranks ``o`` of the scored orders; ``features`` and ``scores`` have one entry
    each. The DuckDB connection holds the tables, ``rings`` and ``order_ring`` among them. ``model`` is the
    order forest that was used, None where there were too few orders to train one; ``strange`` compares the
    sellers by theirs; ``seller_size`` is each order's shop's, see ``comparable_groups``; ``window`` is the time
    of the first and of the last order (naive UTC).
    """

    con: duckdb.DuckDBPyConnection
    as_of: datetime
    rows: NDArray[np.int64]
    features: dict[str, Floats]
    scores: Scores
    sellers: pd.DataFrame
    model: AnomalyModel | None
    strange: StrangeSellers
    seller_size: NDArray[np.int64]
    window: tuple[datetime, datetime]

    @property
    def models(self) -> dict[str, AnomalyModel]:
        """The forests by their names in a bundle."""
        forests = {ORDERS_MODEL: self.model, SELLERS_MODEL: self.strange.model}
        return {name: model for name, model in forests.items() if model is not None}


def last_instant(con: duckdb.DuckDBPyConnection) -> datetime:
    """The moment just after the last thing the input knows of: what a scan without a day is as of."""
    found: datetime | None = con.execute("""
        SELECT greatest((SELECT max(created_at) FROM orders), (SELECT max(event_at) FROM tracking_events),
                        (SELECT max(created_at) FROM reviews))
    """).fetchall()[0][0]
    if found is None:
        raise InputError("orders has no row to scan; see rejects for why rows were refused")
    return found + timedelta(microseconds=1)


def run(
    ingested: Ingested,
    scorer: Scorer,
    policy: Policy,
    *,
    as_of: datetime,
    since: datetime | None,
    stage: Stage,
    models: Mapping[str, AnomalyModel] = MappingProxyType({}),
    keep_features: bool = True,
) -> Scan:
    """Compute features, score, judge sellers and find rings.

    Parameters
    ----------
    models
        The forests to use; one that is not given is trained on the unsuspected of the input itself.
    since
        Report the orders from this instant on; everything before it is history. None reports every order.
    as_of
        Nothing from this instant on is known.
    keep_features
        False drops the families' tables once they are read, to make room.
    """
    con = ingested.con
    forget_after(con, as_of)
    compute_features(con, as_of, stage)
    with stage("scores"), ThreadPoolExecutor(1) as aside:
        known = read_known(con, scorer)
        if not keep_features:
            drop_features(con)
        figures = aside.submit(figures_of, known.keys["seller"], known.features, known.groups)
        features, scores, model = score_known(known, scorer, models.get(ORDERS_MODEL))
    with stage("rings and sellers"), con.cursor() as own, ThreadPoolExecutor(1) as aside:
        verdict, suspected = policy.detection.seller, scores.decision != ALLOW
        compared = aside.submit(
            compare_sellers,
            own,
            known.keys["seller"],
            figures.result(),
            known.groups,
            suspected,
            verdict.anomaly_weight,
            models.get(SELLERS_MODEL),
        )
        find_rings(con, scores.score, suspected)
        rows = _rows(con, since)
        sellers = judge_sellers(con, order_scores(rows, known, features, scores), verdict)
        strange = compared.result()
        sellers = ranked(sellers, strange)
    size = known.groups["seller_size"]
    return Scan(con, as_of, rows, features, scores, sellers, model, strange, size, _window(con))


@dataclass(frozen=True, slots=True)
class Known:
    """What scoring needs to know of every order, in canonical order; read once, scored as often as wanted."""

    features: dict[str, Floats]
    keys: dict[str, NDArray[np.int64]]
    groups: dict[str, NDArray[np.int64]]

    @property
    def count(self) -> int:
        return len(self.keys["order"])


def read_known(con: duckdb.DuckDBPyConnection, scorer: Scorer) -> Known:
    """Read the features that the scorer and the forests look at; the family tables must be there."""
    names = {*scorer.inputs, *(measure.name for measure in SELLER_FEATURES)}
    works = (partial(read_features, names=names), neighbour_keys, comparable_groups)
    return Known(*side_by_side(con, works))


def score_known(
    known: Known, scorer: Scorer, model: AnomalyModel | None
) -> tuple[dict[str, Floats], Scores, AnomalyModel | None]:
    """Score every order: by its own evidence, as its neighbours' suspicion reaches it, and by the forest.

    Returns the features with the neighbours' lifts and the hallmarks, the scores, and the model that was given or trained.
    """
    with ThreadPoolExecutor(1) as aside:
        found = aside.submit(Neighbours, known.keys)
        evidence = scorer.evidence(known.features, known.count)
        features = with_neighbours(known, scorer, evidence, found.result())
    model = model or train(features, known.groups, scorer.suspicion(evidence, features))
    anomaly = None if model is None else model.percentile(features, known.groups, nthread=THREADS)
    scores = scorer.score(features, known.count, anomaly, evidence)
    return features | scorer.hallmarks(scores, known.keys), scores, model


def with_neighbours(
    known: Known, scorer: Scorer, evidence: Evidence, neighbours: Neighbours
) -> dict[str, Floats]:
    """The features with the neighbours' lifts, as suspicion travels from each order's own evidence."""
    features = dict(known.features)
    for _ in range(NEIGHBOUR_ROUNDS):
        features |= neighbours.features(scorer.suspicion(evidence, features))
    return features


def _window(con: duckdb.DuckDBPyConnection) -> tuple[datetime, datetime]:
    first, last = con.execute("SELECT min(created_at), max(created_at) FROM orders").fetchall()[0]
    return first, last


def _rows(con: duckdb.DuckDBPyConnection, since: datetime | None) -> NDArray[np.int64]:
    """Ranks of the orders to report."""
    found = con.execute("SELECT o FROM orders WHERE created_at >= $1 ORDER BY o", [since or datetime.min])
    return np.asarray(found.fetchnumpy()["o"], dtype=np.int64)


def order_scores(
    rows: NDArray[np.int64], known: Known, features: dict[str, Floats], scores: Scores
) -> OrderScores:
    """What sellers are judged by, of the given rows."""
    suspected = scores.decision != ALLOW
    tie = features.get("seller_link_strength", np.full(len(scores.score), np.nan))
    return OrderScores(
        rows,
        scores.score[rows],
        suspected[rows],
        (scores.evidence.hard | (scores.evidence.families >= 2))[rows],
        _elsewhere(suspected, known.keys)[rows],
        tie[rows],
        {clause: values[rows] for clause, values in scores.evidence.clauses.items()},
    )


def _elsewhere(suspected: NDArray[np.bool_], keys: dict[str, NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Whether the entity is suspected at other sellers, with no fewer orders than at this one.

    A rival's farm leaves a suspect order or two elsewhere, where it tried to look alive; a ring for hire lives
    on many shops.
    """
    entity, pair = (np.bincount(keys[key], suspected)[keys[key]] for key in ("entity", "pair"))
    return np.asarray(entity - pair >= np.maximum(pair, 1))
