"""What Prometheus reads: latency, decisions, rules that fire, the snapshot's age, queues."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import multiprocess as several

from detector.drift import BANDS, score_band, stability_index
from detector.service import Decision
from detector.store.snapshots import Snapshot

__all__ = ["QUEUE", "REQUESTS", "count_decisions", "exposition"]

LATEST = 10_000
"""Scores that drift is measured over."""
ENOUGH = 500
"""Scores below which it is not: where they lie is mostly chance."""

REQUESTS = Histogram(
    "truetrade_request_seconds",
    "Time from a request's headers to the end of its answer.",
    ("method", "route", "status"),
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
DECISIONS = Counter("truetrade_decisions", "Orders scored, by decision.", ("decision",))
RULES = Counter("truetrade_rule_fires", "Reasons given, by rule code.", ("code",))
SNAPSHOT_AGE = Gauge(
    "truetrade_snapshot_age_seconds",
    "Age of the published scan that decisions rest on; NaN where there is none.",
    multiprocess_mode="mostrecent",
)
QUEUE = Gauge(
    "truetrade_queue_size", "Requests that wait, by queue.", ("queue",), multiprocess_mode="livesum"
)


DRIFT = Gauge(
    "truetrade_score_drift",
    f"Population stability index of a worker's latest {LATEST:,} scores against the published scan's; NaN "
    f"before {ENOUGH} scores, or without a scan.",
    multiprocess_mode="livemax",
)


class _LatestScores:
    """The bands of the latest scores of this process."""

    def __init__(self) -> None:
        self._bands: deque[int] = deque()
        self._counts = [0] * BANDS

    def add(self, score: float) -> None:
        if len(self._bands) == LATEST:
            self._counts[self._bands.popleft()] -= 1
        self._bands.append(score_band(score))
        self._counts[self._bands[-1]] += 1

    def drift(self, snapshot: Snapshot | None) -> float:
        if snapshot is None or len(self._bands) < ENOUGH:
            return math.nan
        return stability_index(snapshot.score_shares, [count / len(self._bands) for count in self._counts])


_LATEST_SCORES = _LatestScores()


def count_decisions(decisions: Sequence[Decision], snapshot: Snapshot | None) -> None:
    """Count what was decided and why; note how old the ``snapshot`` is that it rests on, and the drift from it."""
    if not decisions:
        return
    for said, count in _counts(one.decision for one in decisions).items():
        _decided(said).inc(count)
    for code, count in _counts(reason.code for one in decisions for reason in one.reasons).items():
        _fired(code).inc(count)
    for one in decisions:
        _LATEST_SCORES.add(one.score)
    age = decisions[-1].versions.snapshot_age_seconds
    SNAPSHOT_AGE.set(math.nan if age is None else age)
    DRIFT.set(_LATEST_SCORES.drift(snapshot))


_decided, _fired = cache(DECISIONS.labels), cache(RULES.labels)  # which look at every label, each time


def _counts(names: Iterable[str]) -> dict[str, int]:
    """How often each is there: adding to a dictionary costs less than to a metric."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def exposition() -> bytes:
    """All metrics as text; with several workers, of all of them together."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    several.MultiProcessCollector(registry)
    return generate_latest(registry)
