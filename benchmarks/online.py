"""What a decision costs: ``POST /v1/score`` of a real server beside an empty endpoint that checks the same body.

A simulated market is loaded into SQLite, its scan published, a forest trained. One worker serves; the load
comes from this process, every request a new order with persistence on. Figures of one run are to be compared, not quoted.
Goals: throughput at least 0.4 of the empty endpoint's, the 99th percentile at most 4 times its at the same
rate, a median under 5 ms on a quiet machine, 5,000 orders a second in batches.
"""

from __future__ import annotations

import cProfile
import itertools
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
import uvicorn
import uvloop
from fastapi import Body, FastAPI

from api.bodies import SCORED_ORDER
from benchmarks.rounds import Target, measured, report, serving
from benchmarks.scan_speed import COMMAND
from detector.pseudonym import load_key
from detector.rulebook import load_rulebook
from detector.service import ScoreRequest, Service
from detector.simulate.market import simulate, write_market
from detector.store.database import connect
from detector.store.keys import create_key
from models.bundle import load

CONTENTS = 50_000
"""Orders of the market whose content is sent again, under new ids."""

MODEL_KEY = "signs the benchmark's own model only"

app = typer.Typer()


@app.command()
def main(
    orders: int = 1_000_000,
    seconds: float = 10.0,
    folder: Annotated[Path | None, typer.Option(help="Keeps market and database for the next run.")] = None,
) -> None:
    """Print latency, throughput and where the time goes."""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        environment = {
            "TRUETRADE_DATABASE_URL": f"sqlite:///{place / 'store.db'}",
            "TRUETRADE_PSEUDONYM_KEY_FILE": str(place / "pseudonym.key"),
            "TRUETRADE_MODEL_BUNDLE": str(place / "model"),
            "TRUETRADE_MODEL_KEY": MODEL_KEY,
        }
        if not (place / "store.db").exists():
            prepare(place, orders, environment)
        contents = order_contents(place / "market" / "market")
        # a light client: the load should leave the processor to the server
        uvloop.run(compare(contents, place, environment, seconds))
        where_time_goes(contents, place)


def prepare(place: Path, orders: int, environment: dict[str, str]) -> None:
    """Simulate, load, scan, publish and train."""
    write_market(simulate(orders, 90, 4), place / "market")
    market, out, model = str(place / "market" / "market"), str(place / "out"), str(place / "model")
    for words in (
        ["db", "upgrade"],
        ["load", market],
        ["scan", market, "--out", out],
        ["publish", out],
        ["train", market, "--out", model],
    ):
        began = time.perf_counter()
        subprocess.run(
            [*COMMAND, *words], check=True, env=os.environ | environment, stdout=subprocess.DEVNULL
        )
        print(f"truetrade {words[0]}: {time.perf_counter() - began:.0f} s", flush=True)


def order_contents(market: Path) -> list[dict[str, Any]]:
    """The last orders of the market with their items, as JSON has them, as they were when placed."""
    con = duckdb.connect()
    con.execute(f"""
        SET TimeZone = 'UTC';
        CREATE TABLE chosen AS SELECT * EXCLUDE (status, paid_at, shipped_at, delivered_at, completed_at,
            cancelled_at, refunded_at, refund_minor)
        FROM '{market}/orders.parquet' ORDER BY created_at DESC, order_id LIMIT {CONTENTS};
        CREATE TABLE lines AS FROM '{market}/order_items.parquet' SEMI JOIN chosen USING (order_id)
    """)
    items: dict[str, list[dict[str, Any]]] = {}
    for line in con.sql("FROM lines").to_arrow_table().to_pylist():
        items.setdefault(line.pop("order_id"), []).append(line)
    found = (
        con.sql("SELECT * REPLACE (created_at::VARCHAR AS created_at) FROM chosen")
        .to_arrow_table()
        .to_pylist()
    )
    for order in found:
        order["created_at"] = datetime.fromisoformat(order["created_at"]).isoformat()
        order["items"] = items.get(order["order_id"], [])
    return [{name: value for name, value in order.items() if value is not None} for order in found]


def new_orders(contents: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The contents again and again, each as an order of its own."""
    run = time.time_ns()
    for number, order in enumerate(itertools.cycle(contents)):
        yield {**order, "order_id": f"{run}-{number}"}


async def compare(
    contents: list[dict[str, Any]], place: Path, environment: dict[str, str], seconds: float
) -> None:
    engine = connect(environment["TRUETRADE_DATABASE_URL"])
    with engine.begin() as connection:
        token = create_key(connection, role="scorer", name="bench", now=datetime.now(UTC)).token
    with (
        serving([sys.executable, "-m", "benchmarks.online", "empty"], environment) as empty,
        serving([sys.executable, "-m", "api.cli", "serve"], environment) as real,
    ):
        print(f"\n/v1/score: ready after {real.seconds:.1f} s, with {real.memory_mb():.0f} MB of its own")
        stream = new_orders(contents)
        targets = {"empty": Target(empty), "score": Target(real, f"Authorization: Bearer {token}\r\n")}
        rounds = await measured(targets, stream, token, seconds)
    report(rounds)


@app.command()
def empty(port: Annotated[int, typer.Option()]) -> None:
    """Serve the endpoint to compare with: it checks the body and does nothing."""
    nothing = FastAPI()

    @nothing.post("/v1/score")
    async def score(order: Annotated[SCORED_ORDER, Body()]) -> dict[str, str]:
        return {"order_id": order["order_id"]}

    uvicorn.run(nothing, host="127.0.0.1", port=port, access_log=False, log_level="error")


def where_time_goes(contents: list[dict[str, Any]], place: Path) -> None:
    """Profile the service alone, by what it calls, for groups of 1, 32 and 1,000 orders."""
    engine = connect(f"sqlite:///{place / 'store.db'}")
    key = load_key({}, place / "pseudonym.key")
    stream, now = new_orders(contents), datetime.now(UTC)
    bundle = load(place / "model", key=MODEL_KEY.encode())
    with Service(engine, load_rulebook(None), bundle, key) as service:
        profiled(service, stream, now)


def profiled(service: Service, stream: Iterator[dict[str, Any]], now: datetime) -> None:
    for size, repeats in ((1, 100), (32, 20), (1000, 3)):
        groups = [[_request(order) for order in itertools.islice(stream, size)] for _ in range(repeats)]
        service.score(groups[0], now)
        profile = cProfile.Profile()
        began = time.process_time()
        profile.enable()
        for group in groups[1:]:
            service.score(group, now)
        profile.disable()
        spent = (time.process_time() - began) / (size * (repeats - 1)) * 1000
        print(
            f"\nService.score of {size}: {spent:.3f} ms of processor an order (profiled); share of the time:"
        )
        shares(profile)


STEPS = {
    "telling:telling": "values veiled", "telling:put_orders": "facts stored", "known:order_facts": "facts read",
    "online:row_values": "row features", "orders_in_memory:values": "windows looked up",
    "snapshot_values:values": "snapshot looked up", "scoring:evidence": "rules", "scoring:reasons": "reasons",
    "decisions:keep": "decision stored", "forest:percentile": "forest",
}  # fmt: skip
"""Module and function → step of the work."""


def shares(profile: cProfile.Profile) -> None:
    rows = pstats.Stats(profile).stats
    total = next(
        row[3]
        for (file, _, name), row in rows.items()
        if name == "score" and file.endswith("detector/service.py")
    )
    for (file, _, name), row in sorted(rows.items(), key=lambda item: -item[1][3]):
        if step := STEPS.get(f"{Path(file).stem}:{name}"):
            print(f"  {step:>20} {row[3] / total:6.1%}")


def _request(order: dict[str, Any]) -> ScoreRequest:
    when = datetime.fromisoformat(order["created_at"])
    items = [{**line, "order_id": order["order_id"]} for line in order["items"]]
    return ScoreRequest({**order, "created_at": when, "items": items})


if __name__ == "__main__":
    app()
