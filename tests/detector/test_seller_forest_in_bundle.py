"""From training to a scan with the bundle: both forests travel, and a suspected shop is told what is strange."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from rich.console import Console

from detector.anomaly import ORDERS_MODEL, SELLERS_MODEL
from detector.job import Job, plan, run_job, train_job
from detector.progress import Stages
from detector.rulebook import load_rulebook
from detector.simulate.market import simulate, write_market
from detector.strange_sellers import CODE
from models.bundle import load, save
from models.measures import SELLER_FEATURES

KEY = b"a key of the tests, 32 bytes long"


def test_a_bundle_holds_both_forests_and_a_scan_uses_them(tmp_path: Path) -> None:
    policy = load_rulebook(None)
    market = tmp_path / "sim" / "market"
    write_market(simulate(7000, 60, 5, fake_share=0.06), tmp_path / "sim")
    with Stages(plan(), Console(quiet=True)) as stages:
        found = train_job(market, None, policy, stages)
    made = datetime(2024, 1, 1, tzinfo=UTC)
    save(tmp_path / "bundle", found.models, key=KEY, created_for="test", created_at=made, window=found.window)
    bundle = load(tmp_path / "bundle", key=KEY)
    assert set(bundle.models) == {ORDERS_MODEL, SELLERS_MODEL}
    payload = bundle.manifest.models[SELLERS_MODEL]
    assert payload.features == tuple(measure.name for measure in SELLER_FEATURES)
    assert payload.groups == ("seller_size",)
    with Stages(plan(), Console(quiet=True)) as stages:
        run_job(Job(market, tmp_path / "out"), policy, stages, bundle)
    sellers = pd.read_parquet(tmp_path / "out" / "sellers.parquet")
    same = ["seller_id", "score", "recommendation"]
    pd.testing.assert_frame_equal(sellers[same], found.sellers[same], check_dtype=False)
    told = sellers[sellers["reasons"].map(lambda reasons: any(one["code"] == CODE for one in reasons))]
    assert len(told)
    assert (told["recommendation"] != "none").all()
