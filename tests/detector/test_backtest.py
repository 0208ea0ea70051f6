"""Scans of the past know nothing later, and are measured against what is known now."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from detector.backtest import backtest
from detector.errors import InputError
from detector.job import Job, plan, run_job
from detector.progress import Stages
from detector.rulebook import load_rulebook
from detector.simulate.market import simulate, write_market

POLICY = load_rulebook(None)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest") / "market"
    write_market(simulate(1500, 30, 6, fake_share=0.1), folder)
    return folder


def test_one_period_measures_the_scan_itself(market: Path, tmp_path: Path) -> None:
    measured = backtest(market / "market", market / "truth", None, POLICY, by=["week", "attack"], ablate=True)
    with Stages(plan(), Console(quiet=True)) as stages:
        run_job(Job(market / "market", tmp_path / "out"), POLICY, stages)
    orders = pd.read_parquet(tmp_path / "out" / "orders.parquet")
    truth = pd.read_parquet(market / "truth" / "orders.parquet").set_index("order_id")["is_fake"]
    fake = truth.loc[orders["order_id"]].to_numpy()
    flagged = (orders["decision"] != "allow").to_numpy()
    assert measured.orders["orders"] == len(orders)
    assert measured.orders["not_allowed_fake"] == flagged[fake].mean()
    assert measured.orders["not_allowed_genuine"] == flagged[~fake].mean()
    weeks = measured.splits["week"]
    assert weeks["orders"].sum() == len(orders)
    assert weeks["week"].tolist() == sorted(set(weeks["week"]))
    assert measured.splits["attack"]["fakes"].sum() == fake.sum()
    without = measured.splits["without"].set_index("without")["average_precision"]
    assert without["nothing"] == pytest.approx(measured.orders["average_precision"], abs=1e-9)
    assert without["nothing"] > without["self_dealing"]
    assert {"neighbours", "forest"} < set(without.index)


def test_an_earlier_period_is_the_same_without_a_later_one(market: Path, tmp_path: Path) -> None:
    """Facts after the first half are taken out of the files: the half is measured alike."""
    source = market / "market"
    times = pq.read_table(source / "orders.parquet")["created_at"].to_pandas().dt.tz_localize(None)
    events = pq.read_table(source / "tracking_events.parquet")["event_at"].to_pandas().dt.tz_localize(None)
    reviews = pq.read_table(source / "reviews.parquet")["created_at"].to_pandas().dt.tz_localize(None)
    end = max(times.max(), events.max(), reviews.max()) + pd.Timedelta(microseconds=1)
    middle = times.min() + (end - times.min()) / 2
    whole = backtest(source, _first_half(market / "truth", times, middle, tmp_path), None, POLICY, periods=2)
    early = _scan_until(source, middle.to_pydatetime(), tmp_path)
    assert whole.orders["orders"] == len(early)
    assert whole.orders["not_allowed_genuine"] + whole.orders["not_allowed_fake"] > 0
    truth = pd.read_parquet(tmp_path / "truth" / "orders.parquet").set_index("order_id")["is_fake"]
    fake, flagged = truth.loc[early["order_id"]].to_numpy(), (early["decision"] != "allow").to_numpy()
    assert whole.orders["not_allowed_fake"] == pytest.approx(flagged[fake].mean())
    assert whole.orders["not_allowed_genuine"] == pytest.approx(flagged[~fake].mean())


def _first_half(truth: Path, times: pd.Series, middle: pd.Timestamp, folder: Path) -> Path:
    """The truth of the orders before ``middle``, so that only they are measured."""
    (folder / "truth").mkdir()
    orders = pd.read_parquet(truth.parent / "market" / "orders.parquet")["order_id"]
    known = pd.read_parquet(truth / "orders.parquet")
    early = known[known["order_id"].isin(set(orders[times < middle]))]
    early.to_parquet(folder / "truth" / "orders.parquet")
    return folder / "truth"


def _scan_until(source: Path, end: datetime, folder: Path) -> pd.DataFrame:
    """A scan of files that hold nothing from ``end`` on."""
    (folder / "early").mkdir()
    known_at = {
        "orders": "created_at", "shipments": "created_at", "tracking_events": "event_at", "reviews": "created_at",
        "affiliate_clicks": "clicked_at", "reports": "created_at", "labels": "labelled_at",
    }  # fmt: skip
    later = ("paid_at", "shipped_at", "delivered_at", "completed_at", "cancelled_at", "refunded_at")
    for path in source.glob("*.parquet"):
        frame = pd.read_parquet(path)
        if path.stem in known_at:
            at = frame[known_at[path.stem]].dt.tz_localize(None)
            frame = frame[at.isna() | (at < end)]
        if path.stem == "orders":
            for column in later:
                frame[column] = frame[column].where(frame[column].dt.tz_localize(None) < end)
        frame.to_parquet(folder / "early" / path.name)
    with Stages(plan(), Console(quiet=True)) as stages:
        run_job(Job(folder / "early", folder / "out"), POLICY, stages)
    return pd.read_parquet(folder / "out" / "orders.parquet")


def test_labels_of_the_input_are_the_truth_where_none_is_given(tmp_path: Path) -> None:
    orders = pd.DataFrame(
        {
            "order_id": [f"o{n}" for n in range(40)],
            "seller_id": "s",
            "buyer_id": [f"b{n % 30}" for n in range(40)],
            "created_at": pd.date_range("2024-05-01", periods=40, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "currency": "USD",
            "total_minor": np.arange(40),
        }
    )
    orders.to_csv(tmp_path / "orders.csv", index=False)
    with pytest.raises(InputError, match="there is no truth to measure against"):
        backtest(tmp_path, None, None, POLICY)
    with pytest.raises(InputError, match=r"there is no .*orders.parquet; a truth folder holds"):
        backtest(tmp_path, tmp_path, None, POLICY)
    labels = pd.DataFrame({"subject_kind": "order", "subject_id": [f"o{n}" for n in range(10)]})
    labels.assign(is_fake=[n % 2 for n in range(10)]).to_csv(tmp_path / "labels.csv", index=False)
    measured = backtest(tmp_path, None, None, POLICY)
    assert (measured.orders["orders"], measured.orders["fakes"]) == (10, 5)
    assert measured.sellers == {}


def test_a_truth_of_another_market_is_refused(market: Path, tmp_path: Path) -> None:
    pd.DataFrame({"order_id": ["elsewhere"], "is_fake": [True]}).to_parquet(tmp_path / "orders.parquet")
    with pytest.raises(InputError, match="none of the 1 orders of the truth, such as 'elsewhere', is in the"):
        backtest(market / "market", tmp_path, None, POLICY)
