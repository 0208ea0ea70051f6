"""What Prometheus reads: latency, decisions, rules that fire, the snapshot's age, queues, drift."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import multiprocess as several

__all__ = ["DECISIONS", "DRIFT", "QUEUE", "REQUESTS", "RULES", "SNAPSHOT_AGE", "exposition"]

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
    "truetrade_score_drift_psi",
    "Population stability index of recent scores against the published scan; above 0.25 is a shift.",
    multiprocess_mode="mostrecent",
)


def exposition() -> bytes:
    """All metrics as text; with several workers, of all of them together."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    several.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
