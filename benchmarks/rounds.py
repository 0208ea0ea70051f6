"""Rounds of load on ``/v1/score`` and on an empty endpoint in turn, and what they say together."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.callers import CONNECTIONS, Latencies, at_rate, batches, closed_loop

__all__ = ["Target", "measured", "report", "serving"]

ROUNDS = 5
"""Times that everything is measured: one burst of other work on the machine then spoils one of them."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server of one worker process, which took ``seconds`` to answer."""

    port: int
    pid: int
    seconds: float

    def memory_mb(self) -> float:
        """The process's own memory, without mapped files."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) / 1024

    def processor_seconds(self) -> float:
        """What the process has spent, in Python and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """A server to be asked, with the ``headers`` that it wants."""

    server: Served
    headers: str = ""

    @property
    def address(self) -> tuple[int, str]:
        return self.server.port, self.headers


@contextmanager
def serving(command: list[str], environment: dict[str, str]) -> Iterator[Served]:
    """Run a server of one worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(port):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
            time.sleep(0.1)
        yield Served(port, process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


Figures = dict[str, float]


async def measured(
    targets: dict[str, Target], stream: Iterator[dict[str, Any]], token: str, seconds: float
) -> list[Figures]:
    """The figures of each round; every kind of load takes ``seconds`` in all."""
    await closed_loop(*targets["empty"].address, stream, 1.0, CONNECTIONS)
    await closed_loop(*targets["score"].address, stream, 2.0, CONNECTIONS)
    return [await one_round(targets, stream, token, seconds / ROUNDS) for _ in range(ROUNDS)]


async def one_round(
    targets: dict[str, Target], stream: Iterator[dict[str, Any]], token: str, seconds: float
) -> Figures:
    """Each kind of load on both servers, one right after the other: the machine may be another a minute later."""
    found: Figures = {}
    for name, target in targets.items():
        before = target.server.processor_seconds()
        taken = await closed_loop(*target.address, stream, seconds, CONNECTIONS)
        spent = target.server.processor_seconds() - before
        found |= percentiles(f"busy {name}", taken)
        found |= {f"busy {name} rate": len(taken) / seconds, f"busy {name} cpu": spent / len(taken) * 1000}
    for name, target in targets.items():
        found |= percentiles(f"alone {name}", await closed_loop(*target.address, stream, seconds / 2, 1))
    found["steady rate"] = found["busy score rate"] / 2
    for name, target in targets.items():
        taken = await at_rate(*target.address, stream, seconds, found["steady rate"])
        found |= percentiles(f"steady {name}", taken)
    found["busy ratio"] = found["busy score rate"] / found["busy empty rate"]
    found["steady ratio"] = found["steady score p99"] / found["steady empty p99"]
    found["batches"] = batches(targets["score"].server.port, token, stream, seconds)
    return found


def percentiles(what: str, taken: Latencies) -> Figures:
    p50, p99 = np.percentile(taken, [50, 99]) * 1000
    return {f"{what} p50": float(p50), f"{what} p99": float(p99)}


def report(rounds: Sequence[Figures]) -> None:
    """The median of the rounds, with the least and the most."""

    def told(name: str, digits: int = 1) -> str:
        found = sorted(one[name] for one in rounds)
        return f"{median(found):,.{digits}f} ({found[0]:,.{digits}f}-{found[-1]:,.{digits}f})"

    print(f"median of {len(rounds)} rounds (least-most); milliseconds, requests a second")
    print(f"\n{CONNECTIONS} connections, as fast as they are answered")
    for name in ("empty", "score"):
        what = f"busy {name}"
        print(
            f" {name}: p50 {told(f'{what} p50')}, p99 {told(f'{what} p99')}, rate {told(f'{what} rate', 0)}",
            end="",
        )
        print(f", processor {told(f'{what} cpu', 2)} each")
    print(f" score / empty: {told('busy ratio', 2)}; goal 0.4")
    print("\none connection")
    for name in ("empty", "score"):
        print(f" {name}: p50 {told(f'alone {name} p50', 2)}, p99 {told(f'alone {name} p99')}")
    print(f"\nboth at half of the rate of /v1/score: {told('steady rate', 0)}")
    for name in ("empty", "score"):
        print(f" {name}: p50 {told(f'steady {name} p50')}, p99 {told(f'steady {name} p99')}")
    print(f" p99 of score / empty: {told('steady ratio')}; goal 4")
    print(f"\n/v1/score/batch of 1,000: {told('batches', 0)} orders a second; goal 5,000")
