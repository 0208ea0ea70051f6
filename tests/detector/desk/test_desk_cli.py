"""The commands on a database: due, state, rebuild, audit verify."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from builders import an_order, frames
from desk_builders import accept
from enforcement_builders import DAY, SHIPPED, a_command
from sqlalchemy import func, update
from stored_market import a_folder
from typer.testing import CliRunner, Result

from detector.cli import app
from detector.desk.desk import Desk
from detector.ingest.run import ingest
from detector.store.database import connect, upgrade
from detector.store.documents import CONTENTS, DocumentStore
from detector.store.events import EVENTS


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with one seller of March 2024: a case, a hold on everything, a serious violation."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    engine = connect(url)
    upgrade(engine)
    kinds = ("credit_proceeds", "open_case", "place_hold")
    accept(Desk(engine, SHIPPED), *map(a_command, kinds), a_command("decide_case", severity="serious"))
    engine.dispose()
    return url


def truetrade(url: str, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--database-url", url])


def test_state_shows_the_seller_as_of_any_instant(url: str):
    result = truetrade(url, "enforce", "state", "S1", "--as-of", "2024-03-02T00:00:00Z", "--json")
    assert result.exit_code == 0
    view = json.loads(result.output)
    assert view["violations"]["V1"]["state"] == "appeal_open"
    assert view["sellers"]["S1"]["balances"]["USD"]["held"] == 1000
    text = truetrade(url, "enforce", "state", "S1")
    assert "V1  serious  occurrence 1  final" in text.output
    before = truetrade(url, "enforce", "state", "S1", "--as-of", "2024-02-01", "--json")
    assert json.loads(before.output)["violations"] == {}


def test_due_tells_once_what_has_become_due(url: str):
    first = truetrade(url, "enforce", "due")
    assert first.exit_code == 0
    assert first.output.splitlines()[0] == "4 things were due."
    assert truetrade(url, "enforce", "due").output == "0 things were due.\n"


def test_rebuild_says_how_many_sellers(url: str):
    assert truetrade(url, "enforce", "rebuild").output == "1 sellers rebuilt from their events.\n"


def test_labels_are_a_table_of_the_contract_that_an_evaluation_reads(url: str, tmp_path: Path):
    again = {"case_id": "C2", "key": "again", "order_ids": ["O1", "O7"]}
    engine = connect(url)
    accept(
        Desk(engine, SHIPPED),
        a_command("open_case", **again),
        a_command("decide_case", key="no", case_id="C2", outcome="no_violation"),
    )
    engine.dispose()
    folder = a_folder(tmp_path / "market", frames([an_order(order_id=name) for name in ("O1", "O7")]))
    written = truetrade(url, "cases", "labels", str(folder / "labels.parquet"))
    assert written.exit_code == 0, written.output
    con = duckdb.connect()
    ingest(folder, con)
    found = con.sql("SELECT subject_id, is_fake, clause, labelled_at FROM labels ORDER BY ALL")
    noon = DAY.replace(tzinfo=None)
    assert found.fetchall() == [
        ("O1", True, "self_dealing", noon),
        ("O7", False, None, noon),
        ("S1", True, "self_dealing", noon),
    ]
    con.close()


def test_verify_names_what_was_changed_and_fails(url: str):
    good = truetrade(url, "audit", "verify")
    assert good.exit_code == 0
    assert good.output.startswith("4 entries, 0 things wrong; the head is 4:")
    engine = connect(url)
    with engine.begin() as connection:
        first = EVENTS.c.sequence == 1
        connection.execute(update(EVENTS).where(first).values(data=func.replace(EVENTS.c.data, "1000", "9")))
    engine.dispose()
    bad = truetrade(url, "audit", "verify")
    assert bad.exit_code == 1
    assert bad.output.splitlines()[0] == "event 1 of seller S1 was altered (audit entry 1)"


def test_verify_names_a_changed_document(url: str):
    engine = connect(url)
    with engine.begin() as connection:
        kept = DocumentStore(None, 1000).put(
            connection, seller_id="S1", name="a.txt", content=b"the papers", by="S1", at=DAY
        )
        connection.execute(update(CONTENTS).values(content=b"the pampers"))
    engine.dispose()
    bad = truetrade(url, "audit", "verify")
    assert bad.exit_code == 1
    assert bad.output.startswith(f"document {kept.document_id} of seller S1: its bytes have SHA-256")
