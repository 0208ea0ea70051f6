"""Notices by e-mail: SMTP, with the letter as plain text and as HTML."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from sqlalchemy import Engine

from detector.outward.letters import Letter, Sender, language_of, letter
from detector.outward.transport import DeliveryFailed
from detector.store.contacts import Contact, contact_of
from detector.store.endpoints import Endpoint
from detector.store.messages import Message

__all__ = ["MailServer", "SellerMail", "mail_of"]


_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. ``security``: starttls (then the login is sent), tls from the start, none."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None
    password: str | None
    sender_address: str
    timeout_seconds: float


class SellerMail:
    """Writes to the seller of a message, at the address and in the language on record."""

    def __init__(self, engine: Engine, server: MailServer, sender: Sender) -> None:
        self._engine = engine
        self._server = server
        self._sender = sender
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "mail")  # a slow server delays nobody else

    async def send(self, endpoint: Endpoint, message: Message, now: datetime) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, message)

    def _send(self, message: Message) -> None:
        with self._engine.execution_options(reads_only=True).connect() as connection:
            contact = contact_of(connection, message.seller_id)
        if contact is None:
            raise DeliveryFailed(f"seller {message.seller_id} has no e-mail address on record", for_good=True)
        written = letter(message.payload, language_of(contact.language, contact.country), self._sender)
        _hand_in(self._server, mail_of(message, written, contact, self._server.sender_address, self._sender))


def mail_of(
    message: Message, written: Letter, contact: Contact, address: str, sender: Sender
) -> EmailMessage:
    """The e-mail; its Message-ID comes from the message's id, so a second copy is recognised as one."""
    mail = EmailMessage()
    domain = address.rpartition("@")[2]
    mail["From"] = Address(sender.marketplace, addr_spec=address)
    mail["To"] = Address(addr_spec=contact.email)
    mail["Subject"] = written.subject
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.message_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(written.text)
    mail.add_alternative(written.html, subtype="html")
    return mail


def _hand_in(server: MailServer, mail: EmailMessage) -> None:
    try:
        with _connection(server) as smtp:
            if server.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if server.user is not None:
                smtp.login(server.user, server.password or "")
            smtp.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        raise DeliveryFailed(
            f"recipient refused: {code} {answer.decode(errors='replace')}", for_good=code >= 500
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}") from None


def _connection(server: MailServer) -> smtplib.SMTP:
    if server.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_seconds, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
