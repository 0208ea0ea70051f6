"""``truetrade evidence``: a case as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from detector.store_cli import DatabaseUrl, in_store

__all__ = ["evidence"]


def evidence(
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="Id of the case.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE.zip", help="File to write; an existing one is replaced.")
    ],
    audience: Annotated[
        Literal["seller", "regulator"],
        typer.Option("--for", help="For the seller, other people's data are left out."),
    ] = "regulator",
    database_url: DatabaseUrl = None,
) -> None:
    """Write the evidence pack of a case: what was seen, its timeline, ledger, policy and documents."""
    from detector.evidence.load import load_dossier
    from detector.evidence.pack import write_pack
    from detector.policy.loader import load_policy
    from detector.settings import Settings
    from detector.store.documents import DocumentStore

    settings = Settings()
    documents = DocumentStore.of(settings)
    policy = load_policy(settings.policy_file)
    dossier = in_store(database_url, lambda connection: load_dossier(connection, case_id, policy, documents))
    out.write_bytes(write_pack(dossier, audience))
    typer.echo(f"evidence pack for the {audience}: {out}")
