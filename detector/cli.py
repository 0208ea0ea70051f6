"""The command line. Reads settings and the clock; everything below takes them as arguments."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from detector import enforcement_cli
from detector.errors import TrueTradeError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Find fake transactions on a marketplace, and act on them fairly.",
)
app.add_typer(enforcement_cli.app, name="enforce")


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option(help="Show the traceback when a command fails.")] = False,
) -> None:
    context.obj = {"debug": debug}


def main() -> None:
    """Run the command line: 0 done, 1 failed with one clear line, 2 wrong usage."""
    try:
        app()
    except TrueTradeError as error:
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(f"truetrade: {error}\n")
        raise SystemExit(1) from None
