"""An output folder is whole or absent, whatever happens; nothing is left beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.errors import InputError
from detector.output import EARLIER, WHOLE, whole_folder


def write_output(out: Path, text: str | BaseException) -> None:
    """Write a text as the output; an error comes in the middle of it."""
    with whole_folder(out) as folder:
        (folder / "manifest.json").write_text(str(text))
        if isinstance(text, BaseException):
            raise text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_there_before_the_end_and_all_of_it_after(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with whole_folder(out) as folder:
        (folder / "manifest.json").write_text("first")
        assert not out.exists()
        assert folder.stat().st_dev == tmp_path.stat().st_dev
    assert (out / "manifest.json").read_text() == "first"
    assert names(out.parent) == ["out"]
    assert out.stat().st_mode & 0o777 == tmp_path.joinpath("deep").stat().st_mode & 0o777


def test_an_earlier_output_stays_until_it_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_output(out, "first")
    (out / "only-in-the-first").touch()
    with whole_folder(out) as folder:
        (folder / "manifest.json").write_text("second")
        assert (out / "manifest.json").read_text() == "first"
    assert names(out) == ["manifest.json"]
    assert (out / "manifest.json").read_text() == "second"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failed_body_leaves_the_earlier_output(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    write_output(out, "first")
    with pytest.raises(error):
        write_output(out, error())
    assert (out / "manifest.json").read_text() == "first"
    assert names(tmp_path) == ["out"]


DIES = """
import os, signal, sys
from pathlib import Path
from detector.output import EARLIER, WHOLE, whole_folder
with whole_folder(Path(sys.argv[1])) as folder:
    (folder / "manifest.json").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
WAITS = DIES.replace("os.kill(os.getpid(), signal.SIGKILL)", "print(flush=True); input()")


def test_what_a_killed_run_left_the_next_one_removes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_output(out, "first")
    killed = subprocess.run([sys.executable, "-c", DIES, str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    assert (out / "manifest.json").read_text() == "first"
    write_output(out, "second")
    assert (out / "manifest.json").read_text() == "second"
    assert names(tmp_path) == ["out"]


def test_an_output_that_was_being_replaced_comes_back(tmp_path: Path) -> None:
    """Killed after the earlier output went aside, before the new one took its place."""
    out, left = tmp_path / "out", tmp_path / ".out.partial-killed"
    write_output(left / EARLIER, "first")
    write_output(left / WHOLE, "second")
    with pytest.raises(RuntimeError), whole_folder(out):
        raise RuntimeError
    assert (out / "manifest.json").read_text() == "first"
    assert names(tmp_path) == ["out"]


def test_two_runs_do_not_disturb_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", WAITS, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        write_output(out, "mine")
        assert (out / "manifest.json").read_text() == "mine"
        assert len(names(tmp_path)) == 2
        other.communicate("go on\n")
    assert other.returncode == 0
    assert (out / "manifest.json").read_text() == "half"
    assert names(tmp_path) == ["out"]


def test_only_this_outputs_remains_are_removed(tmp_path: Path) -> None:
    for name in ("[a].partial-1", ".a.partial-1", ".[a].partial-1", ".[a]b.partial-1"):
        (tmp_path / name).mkdir()
    write_output(tmp_path / "[a]", "mine")
    assert names(tmp_path) == [".[a]b.partial-1", ".a.partial-1", "[a]", "[a].partial-1"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_output_is_not_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    mine = out / "thesis.txt" if kind == "folder" else out
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match="exists and is no output of a scan"), whole_folder(out):
        pass
    assert mine.read_text() == "mine"
    assert names(tmp_path) == ["out"]
