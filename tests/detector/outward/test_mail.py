"""Letters over a real SMTP server: TLS, login, trouble that passes and trouble that does not."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import policy as email_policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from outward_builders import NOTICES
from outward_delivery import add_endpoint, put, until
from postgres import free_port
from sqlalchemy import Engine

from detector.outward.dispatch import Dispatcher, Retry
from detector.outward.letters import Sender
from detector.outward.mail import MailServer, SellerMail
from detector.store import outbox
from detector.store.contacts import BadAddress, Contact, put_contacts
from detector.store.endpoints import SELLERS_BY_EMAIL

SENDER = Sender("Example Märkt", "https://seller.example/appeals")


class Mailbox:
    """Takes mail; answers the first recipients as its plan says, then 250."""

    def __init__(self) -> None:
        self.plan: list[str] = []
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.tls: list[bool] = []

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        answer = self.plan.pop(0) if self.plan else "250 OK"
        if answer == "slow":
            await asyncio.sleep(2)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        assert envelope.content is not None
        content = envelope.content if isinstance(envelope.content, bytes) else envelope.content.encode()
        self.mails.append(BytesParser(EmailMessage, policy=email_policy.default).parsebytes(content))
        self.recipients += envelope.rcpt_tos
        self.tls.append(session.ssl is not None)
        return "250 OK"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp_port(mailbox: Mailbox) -> Iterator[int]:
    yield from _running(Controller(mailbox, hostname="127.0.0.1", port=free_port()))


def _running(controller: Controller) -> Iterator[int]:
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def a_server(port: int, **changes: Any) -> MailServer:
    facts = {"host": "127.0.0.1", "port": port, "security": "none", "user": None, "password": None}
    facts |= {"sender_address": "no-reply@market.example", "timeout_seconds": 5.0}
    return MailServer(**{**facts, **changes})


def deliver(store: Engine, server: MailServer, attempts: int = 18) -> Counter[str]:
    retry = Retry(attempts, timedelta(milliseconds=20))
    transports = {"mailto": SellerMail(store, server, SENDER)}
    dispatcher = Dispatcher(store, transports, retry, lambda: datetime.now(UTC), Random(1))
    return asyncio.run(dispatcher.once())


def dead(store: Engine) -> list[tuple[str, str | None]]:
    with store.connect() as connection:
        return [(d.message.message_id, d.last_error) for d in outbox.dead_letters(connection)]


@pytest.fixture
def sellers(store: Engine) -> Engine:
    """A store with the endpoint of mail and two sellers' contacts."""
    add_endpoint(store, SELLERS_BY_EMAIL, None, "mail")
    with store.begin() as connection:
        chinese = Contact("S1", "shop@seller.example", None, "CN")
        put_contacts(connection, [chinese, Contact("S2", "two@seller.example", "en", "CN")])
    return store


def test_a_notice_arrives_as_text_and_html_in_the_seller_s_language(
    sellers: Engine, mailbox: Mailbox, smtp_port: int
) -> None:
    chinese = put(sellers, "S1", 1, NOTICES["violation"]())
    english = put(sellers, "S2", 1, NOTICES["violation"]())
    assert deliver(sellers, a_server(smtp_port)) == {"delivered": 2}
    mails = dict(zip(mailbox.recipients, mailbox.mails, strict=True))
    first, second = mails["shop@seller.example"], mails["two@seller.example"]
    assert first["Message-ID"] == f"<{chinese}@market.example>"
    assert second["Message-ID"] == f"<{english}@market.example>"
    assert first["Subject"] == "违规通知 V1：店铺虚假交易"
    assert second["Subject"] == "Violation V1: fake transactions in your shop"
    assert first["From"] == "Example Märkt <no-reply@market.example>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    plain, rich = first.get_body(("plain",)), first.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert "第一次申诉" in plain.get_content()
    assert "<h1>违规通知</h1>" in rich.get_content()


def test_trouble_that_passes_is_waited_for_and_the_order_is_kept(
    sellers: Engine, mailbox: Mailbox, smtp_port: int
) -> None:
    mailbox.plan = ["451 try later", "421 busy", "452 full"]
    ids = [put(sellers, "S1", number, NOTICES[name]()) for number, name in enumerate(("hold", "violation"))]
    tally = Counter[str]()

    def all_there() -> bool:
        tally.update(deliver(sellers, a_server(smtp_port)))
        return len(mailbox.mails) == 2

    until(all_there)
    assert tally == {"failed": 3, "delivered": 2}
    assert [mail["Message-ID"] for mail in mailbox.mails] == [f"<{id_}@market.example>" for id_ in ids]


def test_a_server_that_is_too_slow_is_asked_again(sellers: Engine, mailbox: Mailbox, smtp_port: int) -> None:
    mailbox.plan = ["slow"]
    message_id = put(sellers, "S1", 1, NOTICES["hold"]())
    server = a_server(smtp_port, timeout_seconds=0.5)
    assert deliver(sellers, server) == {"failed": 1}
    until(lambda: bool(deliver(sellers, server)["delivered"]))
    assert [mail["Message-ID"] for mail in mailbox.mails] == [f"<{message_id}@market.example>"]


def test_an_address_that_does_not_exist_is_a_dead_letter_at_once(
    sellers: Engine, mailbox: Mailbox, smtp_port: int
) -> None:
    mailbox.plan = ["550 no such user"]
    message_id = put(sellers, "S1", 1, NOTICES["hold"]())
    assert deliver(sellers, a_server(smtp_port)) == {"dead": 1}
    assert dead(sellers) == [(message_id, "recipient refused: 550 no such user")]


def test_a_seller_without_address_is_a_dead_letter_that_can_be_replayed(
    sellers: Engine, mailbox: Mailbox, smtp_port: int
) -> None:
    message_id = put(sellers, "S3", 1, NOTICES["hold"]())
    assert deliver(sellers, a_server(smtp_port)) == {"dead": 1}
    assert dead(sellers) == [(message_id, "seller S3 has no e-mail address on record")]
    with sellers.begin() as connection:
        put_contacts(connection, [Contact("S3", "three@seller.example", None, None)])
        outbox.replay(connection, message_id, datetime.now(UTC))
    assert deliver(sellers, a_server(smtp_port)) == {"delivered": 1}
    assert mailbox.recipients == ["three@seller.example"]


def test_a_message_that_cannot_be_written_stops_only_itself(
    sellers: Engine, mailbox: Mailbox, smtp_port: int
) -> None:
    broken = put(sellers, "S1", 1, {"kind": "unheard_of", "timezone": "UTC"})
    put(sellers, "S2", 1, NOTICES["hold"]())
    assert deliver(sellers, a_server(smtp_port), attempts=1) == {"dead": 1, "delivered": 1}
    assert dead(sellers)[0][0] == broken
    assert "unheard_of" in str(dead(sellers)[0][1])


def test_no_server_is_retried(sellers: Engine) -> None:
    put(sellers, "S1", 1, NOTICES["hold"]())
    assert deliver(sellers, a_server(9)) == {"failed": 1}


def a_certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = serialization.Encoding.PEM
    path = folder / "server.pem"
    path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, *plain))
    return path


def _authenticate(*arguments: Any) -> AuthResult:
    login = arguments[-1]
    known = isinstance(login, LoginPassword) and (login.login, login.password) == (b"market", b"secret")
    return AuthResult(success=known)


@pytest.fixture
def tls_port(mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that wants STARTTLS and a login, whose certificate this machine trusts."""
    certificate = a_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    wants: dict[str, Any] = {"require_starttls": True, "auth_required": True, "authenticator": _authenticate}
    yield from _running(
        Controller(mailbox, hostname="127.0.0.1", port=free_port(), tls_context=context, **wants)
    )


def test_mail_is_handed_in_over_starttls_with_login(sellers: Engine, mailbox: Mailbox, tls_port: int) -> None:
    put(sellers, "S1", 1, NOTICES["hold"]())
    server = a_server(tls_port, security="starttls", user="market", password="secret")
    assert deliver(sellers, server) == {"delivered": 1}
    assert mailbox.tls == [True]


@pytest.mark.parametrize("changes", [{"security": "none"}, {"security": "starttls", "password": "wrong"}])
def test_without_tls_or_with_a_wrong_password_nothing_is_lost(
    sellers: Engine, mailbox: Mailbox, tls_port: int, changes: dict[str, Any]
) -> None:
    put(sellers, "S1", 1, NOTICES["hold"]())
    server = a_server(tls_port, **{"user": "market", "password": "secret", **changes})
    assert deliver(sellers, server) == {"failed": 1}
    assert mailbox.mails == []
    assert dead(sellers) == []


def test_an_unknown_certificate_is_not_trusted(
    sellers: Engine, mailbox: Mailbox, tls_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    put(sellers, "S1", 1, NOTICES["hold"]())
    server = a_server(tls_port, security="starttls", user="market", password="secret")
    assert deliver(sellers, server) == {"failed": 1}
    assert mailbox.mails == []


@pytest.mark.parametrize(
    "email",
    ["", "nobody", "a@b", "a@b.example\nBcc: all@example.com", "a b@c.example", "a@b.example, c@d.example"],
)
def test_what_is_no_address_is_not_recorded(store: Engine, email: str) -> None:
    with store.begin() as connection, pytest.raises(BadAddress, match="seller S1"):
        put_contacts(connection, [Contact("S1", email, None, None)])
