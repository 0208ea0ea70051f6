"""What a long run is doing, for the person in front of it and for the manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.text import Text

__all__ = ["Running", "Stages"]


@dataclass(slots=True)
class Running:
    """The stage that is running. ``rows`` may be set or raised while it works; None shows no count."""

    name: str
    position: int
    started: float
    rows: int | None = None


class Stages:
    """Reports the stages of one run and keeps their timings.

    On a terminal one line is redrawn in place (stage, rows, elapsed, time left of the whole run);
    elsewhere each finished stage is one plain line.

    Parameters
    ----------
    plan
        Stage name → weight, in the order they run. Weights are relative: a stage of weight 2 is expected
        to take twice as long as one of weight 1. Zero is allowed.
    console
        Where to report.
    clock
        Seconds that never go back.

    Attributes
    ----------
    timings
        Stage name → seconds of every stage that ended, in the order they ran; a stage that ran more than
        once has the sum.

    Examples
    --------
    >>> with Stages({"read": 1, "score": 3}, Console()) as stages:  # doctest: +SKIP
    ...     with stages.stage("read") as running:
    ...         running.rows = 1_000_000
    """

    def __init__(
        self, plan: Mapping[str, float], console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.timings: dict[str, float] = {}
        self._plan = dict(plan)
        self._order = list(plan)
        self._console = console
        self._clock = clock
        self._running: Running | None = None
        self._live = self._line() if console.is_interactive else None

    def __enter__(self) -> Stages:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def stage(self, name: str, rows: int | None = None) -> Iterator[Running]:
        """Run one stage of the plan; raises ValueError for a name the plan does not have."""
        if name not in self._plan:
            raise ValueError(f"{name!r} is no stage of the plan; stages: {', '.join(self._order)}")
        running = Running(name, self._order.index(name), self._clock(), rows)
        self._running = running
        self._redraw()
        try:
            yield running
        except BaseException:
            self._end(running, failed=True)
            raise
        self._end(running, failed=False)

    def seconds_left(self) -> float | None:
        """Expected seconds to the end of the run at the pace so far; None before the first stage ended."""
        done = sum(self._plan[name] for name in self.timings)
        if not done:
            return None
        pace = sum(self.timings.values()) / done
        position = len(self._order) if self._running is None else self._running.position
        left = pace * sum(self._plan[name] for name in self._order[position + 1 :])
        if self._running is not None and self._running.name not in self.timings:
            expected = pace * self._plan[self._running.name]
            left += max(0.0, expected - (self._clock() - self._running.started))
        return left

    def _end(self, running: Running, *, failed: bool) -> None:
        seconds = self._clock() - running.started
        self.timings[running.name] = self.timings.get(running.name, 0.0) + seconds
        if self._live:
            self._redraw()
        else:
            tail = f"failed after {_seconds(seconds)}" if failed else self._facts(running, seconds)
            self._print(f"{self._step(running)} {running.name} … {tail}")

    def _facts(self, running: Running, seconds: float) -> str:
        rows = [] if running.rows is None else [f"{running.rows:,} rows"]
        seconds_left = round(self.seconds_left() or 0)
        left = [f"about {_whole_seconds(seconds_left)} left"] if seconds_left else []
        return ", ".join([*rows, _seconds(seconds), *left])

    def _step(self, running: Running) -> str:
        total = len(self._order)
        return f"[{running.position + 1:>{len(str(total))}}/{total}]"

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self) -> Progress:
        line = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            _Status(self._status),
            console=self._console,
            transient=True,
            get_time=self._clock,
        )
        line.add_task("scan", total=max(sum(self._plan.values()), 1e-9))
        return line

    def _status(self) -> str:
        running = self._running
        if running is None:
            return "starting"
        return (
            f"{self._step(running)} {running.name}: {self._facts(running, self._clock() - running.started)}"
        )

    def _redraw(self) -> None:
        if self._live:
            task = self._live.task_ids[0]
            self._live.update(task, completed=sum(self._plan[name] for name in self.timings), refresh=True)


class _Status(ProgressColumn):
    """The text beside the bar, made anew at every redraw."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, task: Task) -> Text:
        return Text(self._text(), no_wrap=True, overflow="ellipsis")


def _seconds(seconds: float) -> str:
    """``4.2 s`` below ten seconds, ``31 s`` below two minutes, then ``3 min 05 s``."""
    return f"{seconds:.1f} s" if seconds < 9.95 else _whole_seconds(round(seconds))


def _whole_seconds(whole: int) -> str:
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02d} s"
