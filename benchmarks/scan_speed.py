"""How long a scan takes and how it grows: N and 2N simulated orders, scanned by the command line.

Each scan is a process of its own, so that its peak memory is its own. Seconds per stage and peak memory are
those of the scan's ``manifest.json``; processor seconds are the process's own, so that a busy machine shows.
The growth is 2N against N, 2.0 is linear.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from detector.simulate.market import simulate, write_market

COMMAND = (sys.executable, "-c", "from detector.cli import main; main()")
"""``truetrade``, by the interpreter that runs the benchmark."""


def main(orders: int = 250_000, days: int = 90, seed: int = 4) -> None:
    """Print seconds per stage for both sizes, rows per second, peak memory and the growth."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {size: scanned(Path(folder) / str(size), size, days, seed) for size in (orders, 2 * orders)}
    print(table(runs).to_string(float_format="%.2f"))


def scanned(folder: Path, orders: int, days: int, seed: int) -> dict[str, Any]:
    """Simulate into ``folder``, scan, and return the manifest with ``processor_seconds``."""
    write_market(simulate(orders, days, seed), folder)
    source, out = folder / "market", folder / "scan"
    before = _processor_seconds()
    subprocess.run([*COMMAND, "scan", str(source), "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text("utf-8"))
    return manifest | {"processor_seconds": _processor_seconds() - before}


def _processor_seconds() -> float:
    """Seconds that all finished child processes have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(runs: dict[int, dict[str, Any]]) -> pd.DataFrame:
    """Stages and totals as rows, one column per size and the growth of the larger against the smaller."""
    columns = {f"{size:,} orders": pd.Series(_figures(manifest)) for size, manifest in runs.items()}
    made = pd.DataFrame(columns)
    return made.assign(growth=made.iloc[:, 1] / made.iloc[:, 0])


def _figures(manifest: dict[str, Any]) -> dict[str, float]:
    seconds = manifest["timings_seconds"]
    rows = sum(count["rows_in"] for count in manifest["tables"].values())
    total = sum(seconds.values())
    return {f"{stage}, s": spent for stage, spent in seconds.items()} | {
        "all stages, s": total,
        "processor, s": manifest["processor_seconds"],
        "rows per second, all tables": rows / total,
        "orders per second": manifest["orders_scored"] / total,
        "peak memory, MB": manifest["peak_memory_mb"],
    }


if __name__ == "__main__":
    typer.run(main)
