"""A scan's output folder: written beside its place, renamed when whole."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from detector.errors import InputError

__all__ = ["whole_folder"]

WHOLE, EARLIER = "whole", "earlier"
"""What a run's temporary sibling of OUT holds: its own output, and the one that it is taking the place of."""


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a temporary sibling of ``out`` to write into; at the end it takes the place of ``out``.

    An earlier output there is replaced. When the body fails, nothing is left and the earlier output stays;
    what a killed process left behind, the next run removes. A sibling is locked while its process lives,
    so that two runs do not clean up after each other.

    Raises
    ------
    InputError
        ``out`` exists and is not an output of a scan.
    """
    if out.exists() and not (out / "manifest.json").is_file():
        raise InputError(f"{out} exists and is no output of a scan; name a new folder, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    _clean(out)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    with _locked(partial):
        try:
            (partial / WHOLE).mkdir()
            yield partial / WHOLE
            _replace(partial, out)
        finally:
            _give_up(partial, out)


def _replace(partial: Path, out: Path) -> None:
    if out.exists():
        out.rename(partial / EARLIER)
    (partial / WHOLE).rename(out)


def _give_up(partial: Path, out: Path) -> None:
    """Remove a run's sibling; the earlier output goes back where nothing has taken its place."""
    if (partial / EARLIER).exists() and not out.exists():
        (partial / EARLIER).rename(out)
    shutil.rmtree(partial, ignore_errors=True)


def _clean(out: Path) -> None:
    """Give up for the runs that were killed."""
    for left in sorted(out.parent.glob(f".{glob.escape(out.name)}.partial-*")):
        with suppress(BlockingIOError), _locked(left):
            _give_up(left, out)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process; BlockingIOError where a living one holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
