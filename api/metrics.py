"""What Prometheus reads: latency, decisions, rules that fire, the snapshot's age, queues."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import multiprocess as several

from detector.service import Decision

__all__ = ["QUEUE", "REQUESTS", "count_decisions", "exposition"]

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


def count_decisions(decisions: Iterable[Decision]) -> None:
    """Count what was decided and why, and note how old the snapshot is that it rests on."""
    for decision in decisions:
        DECISIONS.labels(decision.decision).inc()
        for reason in decision.reasons:
            RULES.labels(reason.code).inc()
        age = decision.versions.snapshot_age_seconds
        SNAPSHOT_AGE.set(math.nan if age is None else age)


def exposition() -> bytes:
    """All metrics as text; with several workers, of all of them together."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    several.MultiProcessCollector(registry)
    return generate_latest(registry)
