"""``truetrade outbox``: what other systems and the sellers are told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.enforcement.days import parse_instant
from detector.store_cli import DatabaseUrl, in_store, opened

if TYPE_CHECKING:
    import httpx
    from sqlalchemy import Engine

    from detector.outward.dispatch import Retry
    from detector.outward.transport import Transport
    from detector.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Webhooks and e-mails: deliver them, and see what failed.")
endpoints = typer.Typer(no_args_is_help=True, help="Who is told.")
app.add_typer(endpoints, name="endpoints")


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command()
def deliver(
    watch: Annotated[
        bool, typer.Option("--watch/--once", help="Go on until stopped, or send what is due and end.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Send what is due."""
    import asyncio
    from random import Random

    from detector.outward.dispatch import Dispatcher
    from detector.outward.webhooks import http_client
    from detector.settings import Settings

    settings = Settings()

    async def run(engine: Engine) -> None:
        async with http_client(settings.outbox_timeout_seconds) as client:
            transports = _transports(engine, settings, client)
            _warn_of_unserved(engine, transports)
            dispatcher = Dispatcher(engine, transports, _retry(settings), lambda: datetime.now(UTC), Random())
            if watch:
                await dispatcher.watch()
            tally = await dispatcher.once()
            typer.echo(", ".join(f"{tally[word]} {word}" for word in ("delivered", "failed", "dead")))

    with opened(database_url) as engine:
        asyncio.run(run(engine))


@app.command()
def dead(database_url: DatabaseUrl = None) -> None:
    """List the messages that could not be delivered and are no longer tried, one a line, by tabs."""
    from detector.store.outbox import dead_letters

    for letter in in_store(database_url, dead_letters):
        message = letter.message
        facts = (
            message.message_id,
            letter.endpoint_id,
            message.seller_id,
            message.kind,
            message.at.isoformat(),
        )
        typer.echo("\t".join((*facts, f"{letter.attempts} attempts", letter.last_error or "")))


@app.command()
def replay(
    message_id: Annotated[str | None, typer.Argument(metavar="ID", help="One message, dead or not.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="ENDPOINT", help="With --since: all that it wants of that time.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(parser=_instant, metavar="INSTANT", help="From then on.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=_instant, metavar="INSTANT", help="Before then; now if left out."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put a message, or all of a time, on the queue again, under the same ids."""
    from detector.store import outbox

    now = datetime.now(UTC)
    if message_id is not None and endpoint is None and since is None:
        count = in_store(database_url, lambda connection: outbox.replay(connection, message_id, now))
    elif message_id is None and endpoint is not None and since is not None:
        ends = until or now
        count = in_store(
            database_url, lambda connection: outbox.replay_range(connection, endpoint, since, ends, now)
        )
    else:
        raise typer.BadParameter("give either an ID, or --endpoint and --since")
    typer.echo(f"{count} to be sent again")


@app.command()
def contacts(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Columns seller_id, email; language, country if known.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Record where, and in which language, sellers are written to."""
    from detector.store.contacts import put_contacts, read_contacts

    known = read_contacts(file)
    count = in_store(database_url, lambda connection: put_contacts(connection, known))
    typer.echo(f"{count} contacts recorded")


@endpoints.command()
def add(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="https://…, or mailto: for every seller by e-mail.")
    ],
    kind: Annotated[
        list[str] | None, typer.Option(help="Kind of message, or its first word; all when left out.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add an endpoint and print its id and its signing secret, which is not shown again."""
    import secrets

    from detector.outward.announce import KINDS
    from detector.outward.webhooks import new_secret, require_webhook_url
    from detector.store.endpoints import SELLERS_BY_EMAIL, add_endpoint

    by_mail = url == SELLERS_BY_EMAIL
    if not by_mail:
        require_webhook_url(url)
    known = {*KINDS, *(name.partition(".")[0] for name in KINDS)}
    if unknown := sorted(set(kind or ()) - known):
        raise typer.BadParameter(f"no message is of kind {unknown[0]!r}; known: {', '.join(sorted(known))}")
    endpoint = in_store(
        database_url,
        lambda connection: add_endpoint(
            connection,
            endpoint_id="ep_" + secrets.token_hex(6),
            url=url,
            secret=None if by_mail else new_secret(secrets.token_bytes),
            kinds=["notice"] if by_mail else kind or [],
            now=datetime.now(UTC),
        ),
    )
    typer.echo("\t".join(filter(None, (endpoint.endpoint_id, endpoint.secret))))


@endpoints.command("list")
def list_all(database_url: DatabaseUrl = None) -> None:
    """List the endpoints, one a line, by tabs: id, URL, kinds."""
    from detector.store.endpoints import active_endpoints

    for endpoint in in_store(database_url, active_endpoints):
        typer.echo("\t".join((endpoint.endpoint_id, endpoint.url, ",".join(endpoint.kinds) or "all")))


@endpoints.command()
def remove(
    endpoint_id: Annotated[str, typer.Argument(metavar="ENDPOINT", help="As shown by list.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Tell an endpoint nothing any more; what was sent stays on record."""
    from detector.store.outbox import remove_endpoint

    in_store(database_url, lambda connection: remove_endpoint(connection, endpoint_id))


def _warn_of_unserved(engine: Engine, transports: Mapping[str, Transport]) -> None:
    from detector.store.endpoints import SELLERS_BY_EMAIL, active_endpoints

    with engine.begin() as connection:
        by_mail = [one for one in active_endpoints(connection) if one.url == SELLERS_BY_EMAIL]
    if by_mail and "mailto" not in transports:
        typer.echo("Sellers get no e-mail: TRUETRADE_SMTP_HOST is not set.", err=True)


def _retry(settings: Settings) -> Retry:
    from datetime import timedelta

    from detector.outward.dispatch import Retry

    return Retry(settings.outbox_attempts, timedelta(seconds=settings.outbox_retry_seconds))


def _transports(engine: Engine, settings: Settings, client: httpx.AsyncClient) -> dict[str, Transport]:
    from detector.outward.letters import Sender
    from detector.outward.mail import MailServer, SellerMail
    from detector.outward.webhooks import Webhooks

    webhooks = Webhooks(client, settings.outbox_timeout_seconds)
    transports: dict[str, Transport] = {"https": webhooks, "http": webhooks}
    if settings.smtp_host is not None:
        password = settings.smtp_password
        server = MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=password.get_secret_value() if password else None,
            sender_address=settings.smtp_sender,
            timeout_seconds=settings.outbox_timeout_seconds,
        )
        sender = Sender(settings.marketplace_name, settings.seller_centre_url)
        transports["mailto"] = SellerMail(engine, server, sender)
    return transports
