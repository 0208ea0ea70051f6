from __future__ import annotations

import io

import pytest
from rich.console import Console

from detector.progress import Stages


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=False, width=40), out


def test_plain_lines_have_position_rows_time_and_what_is_left() -> None:
    clock = Clock()
    console, out = plain()
    plan = {"read": 1.0, "tracking features": 2.0, "score": 7.0} | {f"more {n}": 0.0 for n in range(9)}
    with Stages(plan, console, clock) as stages:
        with stages.stage("read"):
            clock.now += 2.1
        with stages.stage("tracking features", rows=1_000_000):
            clock.now += 4.2
        with stages.stage("score") as running:
            running.rows = 7
            clock.now += 250
    assert out.getvalue().splitlines() == [
        "[ 1/12] read … 2.1 s, about 19 s left",
        "[ 2/12] tracking features … 1,000,000 rows, 4.2 s, about 15 s left",
        "[ 3/12] score … 7 rows, 4 min 10 s",
    ]
    assert stages.timings == {
        "read": pytest.approx(2.1),
        "tracking features": pytest.approx(4.2),
        "score": pytest.approx(250),
    }


def test_time_left_falls_within_a_stage_but_never_below_the_later_stages() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 2, "c": 3}, plain()[0], clock)
    assert stages.seconds_left() is None
    with stages.stage("a"):
        clock.now += 10
        assert stages.seconds_left() is None
    assert stages.seconds_left() == pytest.approx(50)
    with stages.stage("b"):
        clock.now += 5
        assert stages.seconds_left() == pytest.approx(45)
        clock.now += 500
        assert stages.seconds_left() == pytest.approx(30)


def test_a_stage_that_fails_says_so_and_the_error_goes_on() -> None:
    clock = Clock()
    console, out = plain()
    stages = Stages({"read": 1}, console, clock)

    def failing() -> None:
        with stages.stage("read"):
            clock.now += 12
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        failing()
    assert out.getvalue() == "[1/1] read … failed after 12 s\n"


def test_a_stage_outside_the_plan_is_refused() -> None:
    stages = Stages({"read": 1, "score": 1}, plain()[0])
    with (
        pytest.raises(ValueError, match="'scan' is no stage of the plan; stages: read, score"),
        stages.stage("scan"),
    ):
        pass


def test_a_stage_may_run_in_parts() -> None:
    clock = Clock()
    stages = Stages({"read": 1}, plain()[0], clock)
    for _ in range(2):
        with stages.stage("read"):
            clock.now += 1.5
    assert stages.timings == {"read": 3.0}


def test_names_with_brackets_are_printed_as_they_are() -> None:
    console, out = plain()
    stages = Stages({"[red]x": 1}, console, Clock())
    with stages.stage("[red]x"):
        pass
    assert out.getvalue() == "[1/1] [red]x … 0.0 s\n"


def test_on_a_terminal_one_line_is_redrawn_and_cleared() -> None:
    clock = Clock()
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, force_interactive=True, width=100, color_system=None)
    with Stages({"read": 1, "score": 3}, console, clock) as stages:
        with stages.stage("read", rows=1_000_000):
            clock.now += 10
        with stages.stage("score", rows=500):
            clock.now += 1
    shown = out.getvalue()
    assert "[1/2] read: 1,000,000 rows" in shown
    assert "[2/2] score: 500 rows, 0.0 s, about 30 s left" in shown
    assert shown.rstrip().endswith("\x1b[2K")
    assert stages.timings == {"read": 10.0, "score": 1.0}
