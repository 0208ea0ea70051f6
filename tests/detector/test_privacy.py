"""What a scan writes and says holds no identity value in clear, those of refused rows included."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from detector.cli import main
from detector.pseudonym import IDENTITY_COLUMNS
from detector.simulate.market import simulate

MARK = "zqxj"
"""Stands in every identity value of the market, and nowhere else."""


def marked(values: pd.Series) -> pd.Series:
    return values.map(lambda value: value if pd.isna(value) else f"{value} {MARK}")


def write_marked_market(folder: Path) -> None:
    """A simulated market as CSV whose identity values bear the mark, with rows that break the contract."""
    market = simulate(2000, 30, 12, fake_share=0.1)
    columns = IDENTITY_COLUMNS | {"account_identifiers": {"identifier_value": ""}}
    folder.mkdir()
    for name, table in market.tables.items():
        frame = table.to_pandas()
        for column in columns.get(name, {}):
            frame[column] = marked(frame[column])
        if name in columns:
            frame = pd.concat([frame, broken(frame.tail(3), name)], ignore_index=True)
        text = frame.to_csv(index=False)
        if name in columns:
            text += f'"open quote {MARK},1\nragged {MARK},+1 555 {MARK}\n'
        (folder / f"{name}.csv").write_text(text)


def broken(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """The rows with other content under their key, with a bad value, and without what is required."""
    required, closed = {
        "orders": ("seller_id", "status"),
        "affiliate_clicks": ("creator_id", "clicked_at"),
        "tracking_events": ("shipment_id", "status"),
        "account_identifiers": ("account_id", "identifier_kind"),
    }[table]
    other = rows.assign(**dict.fromkeys(IDENTITY_COLUMNS.get(table, {}), f"other {MARK}"))
    return pd.concat([other, rows.astype(object).assign(**{closed: "LOST"}), rows.assign(**{required: None})])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("privacy")
    write_marked_market(folder / "in")
    return folder / "out"


def test_no_output_tells_an_identity_value(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["truetrade", "scan", str(out.parent / "in"), "--out", str(out)])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    said = capsys.readouterr()
    told = {"stdout": said.out, "stderr": said.err}
    for path in (path for path in out.rglob("*") if path.is_file()):
        told[str(path.relative_to(out))] = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            told[str(path.relative_to(out))] += f"{table.to_pylist()} {table.schema.to_string()}"
    rejects = pd.read_parquet(out / "rejects.parquet")
    assert set(rejects["table"]) == {*IDENTITY_COLUMNS, "account_identifiers"}
    assert rejects["reason"].str.contains("LOST").any()
    assert "suspected" in told["stdout"]
    tables = {f"{name}.parquet" for name in ("orders", "sellers", "rings", "rejects")}
    assert tables | {"report.html", "manifest.json"} < told.keys()
    assert any(name.startswith("snapshot/") for name in told)
    assert [name for name, text in told.items() if MARK in text.casefold()] == []
