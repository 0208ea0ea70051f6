"""A scan's output folder: written beside its place, renamed when whole."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from detector.errors import InputError

__all__ = ["whole_folder"]


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a temporary sibling of ``out`` to write into; at the end it takes the place of ``out``.

    An earlier output there is replaced. When the body fails or the process is asked to stop, nothing is
    left; what a killed process left behind, the next run removes.

    Raises
    ------
    InputError
        ``out`` exists and is not an output of a scan.
    """
    if out.exists() and not (out / "manifest.json").is_file():
        raise InputError(f"{out} exists and is no output of a scan; name a new folder, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f".{out.name}.partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    partial = out.parent / f".{out.name}.partial-{os.getpid()}"
    partial.mkdir()
    try:
        with _stop_as_exit():
            yield partial
        _replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace(partial: Path, out: Path) -> None:
    old = partial.with_name(partial.name + "-old")
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _stop_as_exit() -> Iterator[None]:
    """Turn a polite kill into an exception, so that the cleaning up happens."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
