"""Champion and challenger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from model_builders import KEY, a_model

from models.errors import BundleError
from models.registry import Registry

WINDOW = (datetime(2025, 10, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def add(registry: Registry, seed: int) -> str:
    model = a_model(count=400, seed=seed)
    return registry.add(
        {"orders": model}, created_for="p", created_at=datetime(2026, 1, 2, tzinfo=UTC), window=WINDOW
    )


def test_a_challenger_becomes_champion(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models", KEY)
    assert registry.get("champion") is None
    first, second = add(registry, 1), add(registry, 2)
    registry.appoint("champion", first)
    registry.appoint("challenger", second)
    assert [held.id for role in ("champion", "challenger") if (held := registry.get(role))] == [first, second]
    registry.appoint("champion", second)
    champion = registry.get("champion")
    assert champion is not None
    assert champion.id == second
    assert registry.ids() == sorted([first, second])


def test_equal_training_is_kept_once(tmp_path: Path) -> None:
    registry = Registry(tmp_path, KEY)
    assert add(registry, 1) == add(registry, 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_only_what_verifies_is_appointed(tmp_path: Path) -> None:
    registry = Registry(tmp_path, KEY)
    first, second = add(registry, 1), add(registry, 2)
    registry.appoint("champion", first)
    (tmp_path / second / "orders.joblib").write_bytes(b"")
    with pytest.raises(BundleError, match="is not the file that was signed"):
        registry.appoint("champion", second)
    with pytest.raises(BundleError, match="holds no bundle 'x'; it holds"):
        registry.appoint("champion", "x")
    champion = registry.get("champion")
    assert champion is not None
    assert champion.id == first
