"""The command line. Reads settings and the clock; everything below takes them as arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from detector import enforcement_cli
from detector.errors import TrueTradeError
from detector.simulate.market import simulate as simulate_market
from detector.simulate.market import write_market

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


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to make; it must not exist or be empty.")],
    orders: Annotated[int, typer.Option(help="Number of orders.")] = 50_000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 90,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal marketplaces.")] = 7,
    fake_share: Annotated[float, typer.Option(help="Share of the orders that are fake.")] = 0.02,
    attacks: Annotated[str | None, typer.Option(help="Attacks to stage, by comma; all when left out.")] = None,
) -> None:
    """Simulate a marketplace with known fakes: OUT/market holds the tables, OUT/truth the answers."""
    chosen = None if attacks is None else tuple(name.strip() for name in attacks.split(",") if name.strip())
    market = simulate_market(orders, days, seed, fake_share, chosen)
    write_market(market, out)
    typer.echo(f"{market.manifest['rows']['orders']:,} orders in {out / 'market'}, truth in {out / 'truth'}")


def main() -> None:
    """Run the command line: 0 done, 1 failed with one clear line, 2 wrong usage."""
    try:
        app()
    except TrueTradeError as error:
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(f"truetrade: {error}\n")
        raise SystemExit(1) from None
