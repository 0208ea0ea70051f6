"""``truetrade enforce due | state | rebuild``, ``cases`` and ``audit``: enforcement on the database."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.enforcement_cli import app as enforce
from detector.enforcement_cli import as_instant
from detector.store_cli import DatabaseUrl, in_store

if TYPE_CHECKING:
    from detector.cases import Evidence
    from detector.desk.desk import Desk

__all__ = ["audit", "cases", "open_desk"]

audit = typer.Typer(no_args_is_help=True, help="The log of every command.")
cases = typer.Typer(no_args_is_help=True, help="Investigations of sellers.")


@contextmanager
def open_desk(database_url: str | None) -> Iterator[Desk]:
    """The desk over the database and the policy of the settings."""
    from detector.desk.desk import Desk
    from detector.policy.loader import load_policy
    from detector.settings import Settings
    from detector.store.database import connect, require_current

    settings = Settings()
    engine = connect(database_url or settings.database_url)
    try:
        require_current(engine)
        yield Desk(engine, load_policy(settings.policy_file))
    finally:
        engine.dispose()


@enforce.command()
def due(database_url: DatabaseUrl = None) -> None:
    """Tell what has ended, matured or closed, and remind; run it every few minutes, as often as you like."""
    from detector.desk.due import send_due

    with open_desk(database_url) as desk:
        sent = send_due(desk, datetime.now(UTC))
    typer.echo(f"{sum(sent.values()):,} things were due.")
    for kind, count in sorted(sent.items()):
        typer.echo(f"  {kind}: {count:,}")


@enforce.command()
def state(
    seller: Annotated[str, typer.Argument(metavar="SELLER", help="Id of the seller.")],
    as_of: Annotated[
        datetime | None, typer.Option(parser=as_instant, metavar="INSTANT", help="Now when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Print a seller's state as of any instant."""
    from detector.enforcement.summary import summarise

    with open_desk(database_url) as desk:
        view = desk.view(seller, as_of or datetime.now(UTC)) | {"refused": []}
    typer.echo(json.dumps(view, indent=2, sort_keys=True) if as_json else summarise(view))


@enforce.command()
def rebuild(database_url: DatabaseUrl = None) -> None:
    """Make all that is derived anew from the events; nobody can write meanwhile."""
    from detector.desk.rebuild import rebuild as rebuild_all

    with open_desk(database_url) as desk:
        count = rebuild_all(desk.engine, desk.policy)
    typer.echo(f"{count:,} sellers rebuilt from their events.")


@audit.callback()
def _group() -> None:
    """Keeps ``verify`` a sub-command while it is the only one."""


@audit.command()
def verify(database_url: DatabaseUrl = None) -> None:
    """Check every entry of the audit log, event and document: 0 all as written, 1 something was changed."""
    from detector.settings import Settings
    from detector.store.audit import head
    from detector.store.audit import verify as verify_all
    from detector.store.database import one_moment
    from detector.store.documents import DocumentStore

    documents = DocumentStore.of(Settings())
    with open_desk(database_url) as desk, one_moment(desk.engine) as connection:
        last = head(connection)
        found = 0
        altered = (
            f"document {one.document_id} of seller {one.seller_id}: {one.problem}"
            for one in documents.verify(connection)
        )
        for sentence in chain(verify_all(connection), altered):
            sys.stdout.write(sentence + "\n")
            found += 1
    typer.echo(f"{last.number:,} entries, {found:,} things wrong; the head is {last.number}:{last.hash}")
    raise typer.Exit(1 if found else 0)


@cases.command("open")
def open_cases(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that a scan has written.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Open a case, or add to the open one, for every seller on whom the scan recommends it."""
    from detector.cases import evidence_of_scan

    with open_desk(database_url) as desk:
        _take_all(desk, evidence_of_scan(out, desk.policy))


@cases.command("collect")
def collect_cases(database_url: DatabaseUrl = None) -> None:
    """Open cases on sellers of whom enough orders were held, or about whom there are enough tips."""
    from detector.desk.investigations import held_orders, tips
    from detector.store.database import one_moment

    with open_desk(database_url) as desk:
        with one_moment(desk.engine) as connection:
            now = datetime.now(UTC)
            found = [*held_orders(desk, connection, now), *tips(desk, connection, now)]
        _take_all(desk, found)


@cases.command("labels")
def export_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as MARKET/labels.parquet.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Write what decided cases say of orders and sellers, as evaluate reads it: the contract's labels."""
    from detector.desk.labels import labels
    from detector.results import write_table

    made = in_store(database_url, labels)
    write_table(made, file)
    typer.echo(f"{made.num_rows:,} labels written to {file}")


def _take_all(desk: Desk, found: Iterable[Evidence]) -> None:
    from detector.desk.investigations import take_evidence

    counts: Counter[str] = Counter(
        take_evidence(desk, evidence, datetime.now(UTC)).outcome for evidence in found
    )
    named = ("opened", "extended", "known")
    typer.echo(", ".join(f"{counts[outcome]:,} {outcome}" for outcome in named))
