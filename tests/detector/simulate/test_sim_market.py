"""The same seed gives the same bytes; the options do what they say; the folder is whole or absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli import app
from detector.contract import INPUT_TABLES
from detector.simulate.frame import stream
from detector.simulate.market import SimulationError, simulate, write_market
from detector.simulate.scenes import split


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    write_market(simulate(2_000, 30, 4), tmp_path / "a")
    write_market(simulate(2_000, 30, 4), tmp_path / "b")
    assert all_bytes(tmp_path / "a") == all_bytes(tmp_path / "b")


def test_other_seeds_give_other_ids() -> None:
    one, two = (simulate(1_000, 14, seed).tables["orders"]["order_id"].to_pylist() for seed in (1, 2))
    assert not set(one) & set(two)


def test_fake_share_and_attacks_can_be_chosen() -> None:
    truth = simulate(3_000, 30, 1, fake_share=0.1, attacks=("click_farm", "label_only")).truth["orders"]
    assert sum(truth["is_fake"].to_pylist()) == 300
    assert set(truth["attack"].to_pylist()) == {"click_farm", "label_only", None}


@pytest.mark.parametrize(("share", "attacks"), [(0.0, None), (0.02, ())])
def test_a_market_without_fakes(share: float, attacks: tuple[str, ...] | None) -> None:
    market = simulate(1_000, 14, 1, fake_share=share, attacks=attacks)
    assert not any(market.truth["orders"]["is_fake"].to_pylist())
    assert not any(market.truth["sellers"]["is_guilty"].to_pylist())
    assert market.tables["orders"].num_rows == 1_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attacks": ("magic",)}, "unknown attack 'magic'"),
        ({"orders": 10}, "too little"),
        ({"fake_share": 0.9}, "0 to 0.5"),
    ],
)
def test_impossible_markets_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate(**{"orders": 1_000, "days": 14, "seed": 1} | arguments)


def test_command_writes_market_and_truth_apart(tmp_path: Path) -> None:
    out = tmp_path / "made"
    arguments = ["simulate", "--out", str(out), "--orders", "1000", "--days", "14", "--seed", "3"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert {p.stem for p in (out / "market").iterdir()} == set(INPUT_TABLES)
    assert {p.name for p in (out / "truth").iterdir()} == {
        "orders.parquet",
        "sellers.parquet",
        "manifest.json",
    }
    manifest = json.loads((out / "truth" / "manifest.json").read_text())
    assert (manifest["seed"], manifest["days"], manifest["rows"]["orders"]) == (3, 14, 1_000)
    assert "1,000 orders" in result.output


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(SimulationError, match="is not empty"):
        write_market(simulate(1_000, 14, 3), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("quota", [1, 7, 40, 500])
def test_ring_sizes_sum_to_the_quota(quota: int) -> None:
    sizes = split(stream(1, "sizes"), quota, 5, 40)
    assert sum(sizes) == quota
    assert min(sizes) >= min(quota, 5)
    assert max(sizes) <= 40 + 10
