"""``truetrade outbox`` as people use it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from outward_delivery import Receiver, put
from sqlalchemy import Engine
from typer.testing import CliRunner

from detector.cli import app
from detector.store.contacts import Contact, contact_of
from detector.store.endpoints import active_endpoints


@pytest.fixture
def run(store: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``run(words…)``: what the command prints; ``fails=True`` where it must not succeed."""
    monkeypatch.setenv("TRUETRADE_DATABASE_URL", database_url)
    monkeypatch.setenv("TRUETRADE_OUTBOX_ATTEMPTS", "1")

    def command(*words: str, fails: bool = False) -> str:
        done = CliRunner().invoke(app, ["outbox", *words])
        assert (done.exit_code != 0) == fails, done.output
        return done.output + (str(done.exception) if fails else "")

    return command


def test_from_endpoint_to_dead_letter_to_replay(
    run: Callable[..., str], store: Engine, receive: Callable[..., Receiver]
) -> None:
    receiver = receive([500])
    endpoint_id, secret = run("endpoints", "add", receiver.url, "--kind", "case").split()
    assert secret.startswith("whsec_")
    assert run("endpoints", "list") == f"{endpoint_id}\t{receiver.url}\tcase\n"
    message_id = put(store, "S1", 1)
    assert run("deliver", "--once") == "0 delivered, 0 failed, 1 dead\n"
    assert message_id in run("dead")
    assert run("replay", message_id) == "1 to be sent again\n"
    assert run("dead") == ""
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert run("replay", "--endpoint", endpoint_id, "--since", since) == "1 to be sent again\n"
    run("endpoints", "remove", endpoint_id)
    assert run("endpoints", "list") == ""
    assert "not meant for any active endpoint" in run("replay", message_id, fails=True)


def test_the_secret_that_add_prints_signs_what_is_sent(
    run: Callable[..., str], store: Engine, receive: Callable[..., Receiver]
) -> None:
    receiver = receive()
    run("endpoints", "add", receiver.url)
    put(store, "S1", 1)
    assert run("deliver") == "0 delivered, 0 failed, 1 dead\n"
    assert receiver.requests() == [], "the receiver knows another secret, so it refuses the signature"


def test_mail_goes_to_contacts_and_gets_notices_only(
    run: Callable[..., str], store: Engine, tmp_path: Path
) -> None:
    run("endpoints", "add", "mailto:")
    with store.connect() as connection:
        (endpoint,) = active_endpoints(connection)
        assert (endpoint.url, endpoint.secret, endpoint.kinds) == ("mailto:", None, ("notice",))
    file = tmp_path / "contacts.csv"
    file.write_text("seller_id,email,language\nS1,one@shop.example,zh\nS2,two@shop.example,\n")
    assert run("contacts", str(file)) == "2 contacts recorded\n"
    assert run("contacts", str(file)) == "2 contacts recorded\n"
    with store.connect() as connection:
        assert contact_of(connection, "S1") == Contact("S1", "one@shop.example", "zh", None)
        assert contact_of(connection, "S3") is None
    assert "TRUETRADE_SMTP_HOST is not set" in run("deliver")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("endpoints", "add", "http://erp.example/"), "https://HOST/PATH"),
        (("endpoints", "add", "https://erp.example/", "--kind", "novelty"), "no message is of kind"),
        (("endpoints", "remove", "ep_none"), "no active endpoint"),
        (("replay",), "give either an ID"),
        (("replay", "--endpoint", "ep_none", "--since", "yesterday"), "ISO 8601"),
        (("contacts", "nowhere.csv"), "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(run: Callable[..., str], words: tuple[str, ...], problem: str) -> None:
    assert problem in run(*words, fails=True)
