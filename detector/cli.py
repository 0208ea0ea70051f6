"""The command line. Reads settings and the clock; everything below takes them as arguments."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from detector import (
    desk_cli,
    enforcement_cli,
    evidence_cli,
    history_cli,
    import_cli,
    keys_cli,
    outbox_cli,
    store_cli,
)
from detector.errors import InputError, TrueTradeError

# The engines are loaded by the command that needs them: `enforce replay` starts in a second, not in ten.

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Find fake transactions on a marketplace, and act on them fairly.",
)
app.add_typer(desk_cli.audit, name="audit")
app.add_typer(desk_cli.cases, name="cases")
app.add_typer(enforcement_cli.app, name="enforce")
app.add_typer(import_cli.app, name="import")
app.add_typer(keys_cli.app, name="keys")
app.add_typer(outbox_cli.app, name="outbox")
app.command()(evidence_cli.evidence)
app.add_typer(store_cli.app, name="db")
for _command in (history_cli.load, history_cli.publish, history_cli.purge, history_cli.erase):
    app.command()(_command)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback when a command fails.")] = False,
) -> None:
    """Options of every command; ``main`` has taken ``--debug`` out before."""


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to make; it must not exist or be empty.")],
    orders: Annotated[int, typer.Option(help="Number of orders.")] = 50_000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 90,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal marketplaces.")] = 7,
    fake_share: Annotated[float, typer.Option(help="Share of the orders that are fake.")] = 0.02,
    attacks: Annotated[
        str | None, typer.Option(help="Attacks to stage, by comma; all when left out.")
    ] = None,
) -> None:
    """Simulate a marketplace with known fakes: OUT/market holds the tables, OUT/truth the answers."""
    from detector.simulate.market import simulate as simulate_market
    from detector.simulate.market import write_market

    chosen = None if attacks is None else tuple(name.strip() for name in attacks.split(",") if name.strip())
    market = simulate_market(orders, days, seed, fake_share, chosen)
    write_market(market, out)
    typer.echo(f"{market.manifest['rows']['orders']:,} orders in {out / 'market'}, truth in {out / 'truth'}")


@app.command()
def scan(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of the contract's tables.")],
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier scan there is replaced.")],
    history: Annotated[Path | None, typer.Option(help="Folder of earlier orders, read beside IN.")] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Score this UTC day; the rest is history.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping file for a foreign export.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file; the default one when left out.")] = None,
    model: Annotated[Path | None, typer.Option(help="Signed model bundle, as from train.")] = None,
) -> None:
    """Score every order of IN with reasons, rank the sellers, find the rings, write a report."""
    from detector.job import Job, plan, run_job
    from detector.progress import Stages
    from detector.rulebook import load_rulebook
    from detector.summary import print_outcome
    from models.bundle import load

    job = Job(source, out, history, day, mapping)
    console = Console()
    rules = load_rulebook(policy)
    bundle = None if model is None else load(model, key=_model_key())
    with Stages(plan(), console) as stages:
        outcome = run_job(job, rules, stages, bundle)
    print_outcome(outcome, console)
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)


@app.command()
def train(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of the contract's tables.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to make; it must not exist.")],
    mapping: Annotated[Path | None, typer.Option(help="Mapping file for a foreign export.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file; the default one when left out.")] = None,
) -> None:
    """Train the forests on the unsuspected orders and sellers of IN and write a bundle signed with a key.

    The key is the environment's TRUETRADE_MODEL_KEY; scan --model needs the same one.
    """
    from detector.job import plan, train_job
    from detector.progress import Stages
    from detector.rulebook import load_rulebook
    from models.bundle import save

    key, rules = _model_key(), load_rulebook(policy)
    with Stages(plan(), Console()) as stages:
        found = train_job(source, mapping, rules, stages)
    assert found.model is not None
    bundle = save(
        out,
        found.models,
        key=key,
        created_for=rules.sha256,
        created_at=datetime.now(UTC),
        window=found.window,
    )
    typer.echo(f"bundle {bundle} in {out}, trained on {found.model.rows:,} orders")


def _model_key() -> bytes:
    key = os.environ.get("TRUETRADE_MODEL_KEY", "")
    if not key:
        raise InputError(
            "set TRUETRADE_MODEL_KEY, the key that signs model bundles, to 16 characters or more"
        )
    return key.encode()


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of the contract's tables.")],
    truth: Annotated[
        Path | None, typer.Option(help="Folder with orders.parquet and sellers.parquet; else IN's labels.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping file for a foreign export.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file; the default one when left out.")] = None,
    periods: Annotated[
        int, typer.Option(min=1, help="Cut the time in so many; each is scored knowing nothing later.")
    ] = 1,
    by: Annotated[list[str] | None, typer.Option(help="Split by week or a column of the truth.")] = None,
    ablate: Annotated[bool, typer.Option(help="Show what each family of evidence adds.")] = False,
) -> None:
    """Scan IN and measure the result against known truth, in time order."""
    from detector.backtest import backtest
    from detector.rulebook import load_rulebook
    from detector.summary import print_evaluation

    rules = load_rulebook(policy)
    measured = backtest(source, truth, mapping, rules, periods=periods, by=by or [], ablate=ablate)
    print_evaluation(measured, Console())


def main() -> None:
    """Run the command line: 0 done, 1 failed with one clear line, 2 wrong usage, 128 + n stopped by signal n.

    ``--debug`` may stand anywhere; it shows the traceback.
    """
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        with _stoppable():
            app(arguments)
    except Exception as error:
        if debug:
            raise
        name = "" if isinstance(error, TrueTradeError) else f"{type(error).__name__}: "
        sys.stderr.write(f"truetrade: {name}{error}\n")
        raise SystemExit(1) from None


@contextmanager
def _stoppable() -> Iterator[None]:
    """Leave in good order on Ctrl-C and on a polite kill.

    A query that is running swallows the handler's SystemExit and fails in words of its own.
    """
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception:
        if asked:
            raise SystemExit(128 + asked[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
