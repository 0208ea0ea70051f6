from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import an_identifier, an_order, at, frames
from rich.console import Console

from detector.analyst import Findings, feature_table, reason_rows, scan_frames
from detector.errors import InputError
from detector.job import Job, plan, run_job
from detector.policy.loader import load_policy
from detector.progress import Stages
from detector.simulate.market import Market, simulate, write_market


@pytest.fixture(scope="module")
def market() -> Market:
    return simulate(orders=1_000, days=20, seed=8, fake_share=0.1)


@pytest.fixture(scope="module")
def tables(market: Market) -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in market.tables.items()}


@pytest.fixture(scope="module")
def findings(tables: dict[str, pd.DataFrame]) -> Findings:
    return scan_frames(tables)


def test_frames_are_judged_as_the_command_judges_files(
    market: Market, findings: Findings, tmp_path: Path
) -> None:
    write_market(market, tmp_path / "in")
    stages = Stages(plan(), Console(quiet=True))
    run_job(Job(tmp_path / "in" / "market", tmp_path / "out"), load_policy(), stages)
    for name in ("orders", "rings"):
        written = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        found = getattr(findings, name)
        assert len(written) > 0
        pd.testing.assert_frame_equal(found[written.columns], written)


def test_orders_carry_their_time_and_amount(findings: Findings, tables: dict[str, pd.DataFrame]) -> None:
    raw = tables["orders"].set_index("order_id").loc[findings.orders["order_id"]]
    assert findings.orders["total_minor"].tolist() == raw["total_minor"].tolist()
    assert findings.orders["created_at"].tolist() == raw["created_at"].dt.tz_localize(None).tolist()


def test_orders_since_an_instant_are_judged_by_what_was_known_at_another() -> None:
    orders = [an_order(buyer_id=f"b{day}", created_at=at(days=day)) for day in range(6)]
    since = at(days=2).replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=8)))
    found = scan_frames(frames(orders), since=since, as_of=at(days=4))
    assert found.orders["order_id"].tolist() == ["o0003", "o0004"]
    assert found.counts.loc["orders", "rows_kept"] == 6


@pytest.fixture(scope="module")
def bare() -> Findings:
    """Three orders without anything else, one of them in a currency that does not exist."""
    orders = frames([an_order(), an_order(buyer_id="b2"), an_order(buyer_id="b3")])
    orders["orders"]["currency"] = ["USD", "coins", "USD"]
    return scan_frames(orders)


def test_refused_rows_are_counted_and_told(bare: Findings) -> None:
    assert bare.counts.to_dict("index") == {
        "orders": {"rows_in": 3, "rows_kept": 2, "rows_rejected": 1, "rows_deduplicated": 0}
    }
    assert bare.rejects[["table", "row", "column"]].to_numpy().tolist() == [["orders", 2, "currency"]]


def test_a_clause_without_its_inputs_is_not_judged(bare: Findings) -> None:
    assert "reviews" in bare.not_judged
    assert bare.orders["clause_reviews"].isna().all()


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(InputError, match="parcels is no table"):
        scan_frames({"orders": pd.DataFrame(), "parcels": pd.DataFrame()})


def test_features_are_those_of_the_judged_orders() -> None:
    orders = [
        an_order(buyer_id=buyer, created_at=at(days=day)) for day, buyer in enumerate(("b1", "b2", "b3"))
    ]
    identifiers = [an_identifier("device", "d1", buyer) for buyer in ("b2", "b3")]
    found = scan_frames(frames(orders, account_identifiers=identifiers), since=at(days=1))
    table = feature_table(found, ["entity_accounts", "buyer_age_days"])
    assert list(table.columns) == ["buyer_age_days", "entity_accounts"]
    assert table.index.tolist() == ["o0002", "o0003"]
    assert table["entity_accounts"].tolist() == [2.0, 2.0]
    assert table["buyer_age_days"].isna().all()


def test_every_feature_of_the_catalog_is_there_when_none_is_named(findings: Findings) -> None:
    table = feature_table(findings)
    assert {"pair_context", "entity_accounts", "seller_orders_30d"} <= set(table.columns)
    assert set(table.dtypes) == {np.dtype(np.float64)}
    assert len(table) == len(findings.orders)


def test_reasons_become_rows() -> None:
    strong = {"code": "A", "clause": "reviews", "weight": 0.9, "message": "First."}
    weak = {"code": "B", "clause": "abuse", "weight": 0.1, "message": "Second."}
    orders = pd.DataFrame(
        {
            "order_id": ["o1", "o2", "o3"],
            "clauses": [["reviews"], [], []],
            "reasons": [np.array([strong, weak]), np.array([]), None],
        }
    )
    assert reason_rows(orders).to_dict("records") == [{"order_id": "o1"} | strong, {"order_id": "o1"} | weak]


def test_no_reasons_are_no_rows() -> None:
    rows = reason_rows(pd.DataFrame({"order_id": ["o1"], "reasons": [[]]}))
    assert list(rows.columns) == ["order_id", "code", "clause", "weight", "message"]
    assert rows.empty


def test_reasons_of_sellers_name_the_seller(findings: Findings) -> None:
    worst = findings.sellers.head(1)
    rows = reason_rows(worst)
    assert rows["code"].tolist() == [reason["code"] for reason in worst["reasons"].item()]
    assert set(rows["seller_id"]) == {worst["seller_id"].item()}


def test_the_last_instant_of_a_scan_is_after_everything(findings: Findings) -> None:
    assert findings.scan.as_of > datetime(2023, 9, 30)
