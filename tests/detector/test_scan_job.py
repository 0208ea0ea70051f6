"""The scan from folder to folder: what is written, that it is whole, and that it does not depend on chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from detector.errors import InputError
from detector.job import Job, plan, run_job
from detector.progress import Stages
from detector.rulebook import load_rulebook
from detector.simulate.market import simulate, write_market

ORDER_COLUMNS = [
    "order_id", "seller_id", "buyer_id", "score", "decision", "anomaly_score", "rule_score",
    "clause_self_dealing", "clause_tracking_mismatch", "clause_invalid_tracking", "clause_repeat_buying",
    "clause_reviews", "clause_abuse", "reasons", "ring_id",
]  # fmt: skip
SELLER_COLUMNS = [
    "seller_id", "score", "recommendation", "disposition_hint", "order_count", "suspected_order_count",
    "gmv_minor", "suspected_gmv_minor", "clauses", "reasons",
]  # fmt: skip
RING_COLUMNS = [
    "ring_id", "kind", "seller_ids", "buyer_ids", "creator_ids", "order_count", "suspicion",
    "first_order_at", "last_order_at",
]  # fmt: skip
PARQUET = ("orders", "sellers", "rings", "rejects")


def scan(source: Path, out: Path) -> None:
    with Stages(plan(), Console(quiet=True)) as stages:
        run_job(Job(source, out), load_rulebook(None), stages)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market") / "input"
    write_market(simulate(3000, 45, 5, fake_share=0.05), folder)
    return folder


@pytest.fixture(scope="module")
def out(market: Path) -> Path:
    folder = market.parent / "out"
    scan(market / "market", folder)
    return folder


def test_writes_the_contracts_files_and_columns(out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    assert names == {f"{name}.parquet" for name in PARQUET} | {"report.html", "manifest.json", "snapshot"}
    assert pq.read_schema(out / "orders.parquet").names == ORDER_COLUMNS
    assert pq.read_schema(out / "sellers.parquet").names == SELLER_COLUMNS
    assert pq.read_schema(out / "rings.parquet").names == RING_COLUMNS
    assert pq.read_schema(out / "rejects.parquet").names == [
        "table",
        "file",
        "row",
        "key",
        "column",
        "reason",
    ]


def test_every_order_is_scored_once_and_explained(market: Path, out: Path) -> None:
    orders = pd.read_parquet(out / "orders.parquet")
    given = pd.read_parquet(market / "market" / "orders.parquet")
    assert sorted(orders["order_id"]) == sorted(given["order_id"])
    assert orders["score"].between(0, 1).all()
    assert orders.loc[orders["decision"] != "allow", "reasons"].map(len).min() >= 1
    weights = [[reason["weight"] for reason in reasons] for reasons in orders["reasons"]]
    assert all(row == sorted(row, reverse=True) for row in weights)
    assert set(orders["decision"]) <= {"allow", "review", "hold"}


def test_counts_balance(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    for counts in manifest["tables"].values():
        kept_or_not = counts["rows_kept"] + counts["rows_rejected"] + counts["rows_deduplicated"]
        assert counts["rows_in"] == kept_or_not
    assert manifest["orders_scored"] == manifest["tables"]["orders"]["rows_kept"]


def test_fakes_rank_above_genuine_orders(market: Path, out: Path) -> None:
    orders = pd.read_parquet(out / "orders.parquet")
    truth = pd.read_parquet(market / "truth" / "orders.parquet")
    joined = orders.merge(truth, on="order_id")
    fake, genuine = joined[joined["is_fake"]]["score"], joined[~joined["is_fake"]]["score"]
    assert fake.median() > genuine.quantile(0.95)


def test_two_runs_are_byte_equal_and_row_order_does_not_matter(
    market: Path, out: Path, tmp_path: Path
) -> None:
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    chance = np.random.default_rng(3)
    for path in (market / "market").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.take(chance.permutation(table.num_rows)), shuffled / path.name)
    scan(market / "market", tmp_path / "again")
    scan(shuffled, tmp_path / "other")
    for name in PARQUET:
        first = (out / f"{name}.parquet").read_bytes()
        assert first == (tmp_path / "again" / f"{name}.parquet").read_bytes()
    for path in (out / "snapshot").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / "snapshot" / path.name).read_bytes(), path.name
    for name in ("orders", "sellers", "rings"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(out / f"{name}.parquet"), pd.read_parquet(tmp_path / "other" / f"{name}.parquet")
        )


def test_orders_alone_are_enough_and_the_rest_is_not_judged(market: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    wanted = ["order_id", "seller_id", "buyer_id", "created_at", "currency", "total_minor"]
    orders = pd.read_parquet(market / "market" / "orders.parquet")[wanted]
    orders.to_csv(tmp_path / "in" / "orders.csv", index=False)
    scan(tmp_path / "in", tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {name.split()[1] for name in manifest["clauses_not_judged"]} >= {
        "tracking_mismatch",
        "invalid_tracking",
        "reviews",
    }
    scored = pd.read_parquet(tmp_path / "out" / "orders.parquet")
    assert scored["clause_tracking_mismatch"].isna().all()
    assert scored["clause_reviews"].isna().all()


def test_a_failed_run_leaves_nothing_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial-1"
    left.mkdir()
    with pytest.raises(InputError, match="is not a folder"):
        scan(tmp_path / "nowhere", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
