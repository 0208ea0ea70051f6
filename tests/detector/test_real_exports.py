"""Scans of real exports, which are not part of the project: TRUETRADE_DATA names the folder that has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from detector.backtest import backtest
from detector.job import Job, plan, run_job
from detector.progress import Stages
from detector.rulebook import load_rulebook

DATA = Path(os.environ.get("TRUETRADE_DATA", ""))
EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif("TRUETRADE_DATA" not in os.environ, reason="TRUETRADE_DATA is not set")


def scan(name: str, out: Path) -> tuple[pd.DataFrame, pd.DataFrame, set[str]]:
    """Orders, sellers and the clauses that were not judged, of an export through its mapping."""
    with Stages(plan(), Console(quiet=True)) as stages:
        run_job(Job(DATA / name, out, mapping=EXAMPLES / f"{name}.toml"), load_rulebook(None), stages)
    manifest = json.loads((out / "manifest.json").read_text())
    orders, sellers = (pd.read_parquet(out / f"{table}.parquet") for table in ("orders", "sellers"))
    return orders, sellers, {clause.split()[1] for clause in manifest["clauses_not_judged"]}


def test_a_genuine_market_is_left_alone(tmp_path: Path) -> None:
    orders, sellers, not_judged = scan("olist", tmp_path / "out")
    assert len(orders) == 8796
    assert (orders["decision"] != "allow").mean() < 0.005
    assert not (sellers["recommendation"] == "open_case").any()
    assert not_judged == {"tracking_mismatch", "invalid_tracking", "reviews"}


def test_accounts_that_share_a_device_rank_first(tmp_path: Path) -> None:
    orders, _, not_judged = scan("first_purchase", tmp_path / "out")
    raw = pd.concat(pd.read_csv(path) for path in (DATA / "first_purchase").glob("*.csv*"))
    accounts = (
        raw.groupby("device_id")["user_id"]
        .transform("nunique")
        .set_axis("purchase-" + raw["user_id"].astype(str))
    )
    ranked = orders.sort_values("score", ascending=False)["order_id"].map(accounts)
    assert (accounts > 1).mean() < 0.1
    assert (ranked.head(1000) > 1).mean() > 0.95
    assert {"tracking_mismatch", "invalid_tracking", "reviews"} <= not_judged


def test_first_purchases_in_time_order() -> None:
    """Accounts per device, known at the time, have an average precision of 0.38."""
    mapping = EXAMPLES / "first_purchase.toml"
    measured = backtest(DATA / "first_purchase", None, mapping, load_rulebook(None), periods=4)
    assert measured.orders["orders"] > 51_000
    assert measured.orders["average_precision"] > 0.35
