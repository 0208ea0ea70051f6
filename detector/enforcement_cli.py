"""``truetrade enforce replay``: what enforcement makes of a log. Time comes from it and ``--as-of`` only."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from detector.enforcement.days import parse_instant
from detector.enforcement.replay import LogUnreadable, replay
from detector.enforcement.summary import summarise
from detector.policy.checks import is_zone
from detector.policy.loader import load_policy

__all__ = ["app", "as_instant"]

app = typer.Typer(no_args_is_help=True, help="Penalties, fund holds and appeals.")


def as_instant(text: str) -> datetime:
    """An option's instant; BadParameter says what would be right."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _zone(name: str | None) -> str | None:
    if name is not None and not is_zone(name):
        raise typer.BadParameter(f"{name!r} should be an IANA time zone such as 'Asia/Shanghai' or 'UTC'")
    return name


@app.command("replay")
def replay_log(
    commands: Annotated[
        Path, typer.Argument(metavar="COMMANDS.jsonl", help="The log: one command a line, as JSON.")
    ],
    as_of: Annotated[
        datetime, typer.Option(parser=as_instant, metavar="INSTANT", help="ISO 8601; without offset UTC.")
    ],
    policy: Annotated[Path | None, typer.Option(metavar="FILE", help="Policy file instead of ours.")] = None,
    timezone: Annotated[
        str | None,
        typer.Option(callback=_zone, metavar="ZONE", help="The market's zone instead of the policy's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON.")] = False,
) -> None:
    """Apply a log of commands to an empty state and print the state as of an instant."""
    rules = load_policy(policy)
    rules = rules.in_zone(timezone) if timezone else rules
    try:
        result = replay(commands.read_bytes(), rules, as_of)
    except OSError as error:
        _unreadable(commands, f"the log cannot be read: {error.strerror}")
    except LogUnreadable as error:
        _unreadable(commands, str(error))
    view = result.view()
    text = json.dumps(view, indent=2, sort_keys=True) if as_json else summarise(view)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def _unreadable(log: Path, problem: str) -> NoReturn:
    sys.stderr.write(f"truetrade: {log}: {problem}\n")
    raise typer.Exit(2)
