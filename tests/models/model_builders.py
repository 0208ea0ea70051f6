"""Builders with defaults for the model tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import bundle
from models.forest import AnomalyModel
from models.measures import Measure

MEASURES = (
    Measure("focus", 0.5, log=True),
    Measure("age_days", 0.5, log=True, side="low"),
    Measure("share", 0.1, side="both"),
    Measure("rating_residual", 0.5),
)
KEY = b"a signing key of the tests"


def some_columns(count: int = 3000, seed: int = 1, unknown: float = 0.2) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    columns = {
        "focus": np.where(rng.random(count) < 0.9, 0.0, rng.exponential(2.0, count)),
        "age_days": rng.lognormal(4.0, 1.0, count),
        "share": np.round(rng.random(count), 2),
        "rating_residual": rng.normal(0.0, 1.0, count),
    }
    for values in columns.values():
        values[rng.random(count) < unknown] = np.nan
    return columns


def some_groups(count: int = 3000, seed: int = 2) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return {
        "category": rng.choice([3, 7, 11, -1], count, p=[0.6, 0.3, 0.05, 0.05]),
        "live": rng.integers(0, 2, count),
        "week": rng.integers(0, 4, count),
    }


def a_model(count: int = 3000, seed: int = 5, **options: Any) -> AnomalyModel:
    options.setdefault("measures", MEASURES)
    return AnomalyModel.fit(some_columns(count), some_groups(count), seed=seed, **options)


def saved(path: Path, model: AnomalyModel | None = None, **options: Any) -> str:
    settings: dict[str, Any] = {
        "key": KEY,
        "created_for": "policy-hash",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
        "window": (datetime(2025, 10, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    }
    return bundle.save(path, {"orders": model or a_model()}, **(settings | options))
