"""Which files of a folder are which table."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.errors import InputError

__all__ = ["FoundFile", "find_tables", "folder_prefixes", "sha256_of"]

_ENDINGS = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a table; ``label`` is how messages and the manifest name it."""

    path: Path
    label: str

    @property
    def is_parquet(self) -> bool:
        return self.path.name.endswith(".parquet")


def folder_prefixes(folders: Sequence[Path]) -> list[str]:
    """What precedes a file's path in messages: nothing in the first folder, then the folder's name."""
    return ["", *(f"{folder.resolve().name}/" for folder in folders[1:])]


def find_tables(
    folder: Path, tables: Collection[str], prefix: str = ""
) -> tuple[dict[str, list[FoundFile]], list[str]]:
    """The files of each table in ``folder``, by path, and notes on entries that are no table.

    Raises InputError when the folder is not there, or holds one table in two forms.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; give a folder with orders.csv, orders.parquet or orders/"
        )
    found: dict[str, list[FoundFile]] = {}
    forms: dict[str, str] = {}
    notes = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        table = entry.name if entry.is_dir() else _stem(entry.name)
        if table is None or table not in tables:
            notes.append(f"{prefix}{entry.name} is no table of the data contract: not read")
            continue
        if table in forms:
            raise InputError(
                f"{folder} holds table {table} twice, as {forms[table]} and {entry.name}; keep one"
            )
        forms[table] = entry.name
        paths = _parts(entry) if entry.is_dir() else [entry]
        found[table] = [FoundFile(path, prefix + path.relative_to(folder).as_posix()) for path in paths]
    return found, notes


def _stem(name: str) -> str | None:
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), None)


def _parts(folder: Path) -> list[Path]:
    """Data files below a table's sub-folder; names that begin with . or _ are bookkeeping of other tools."""
    files = (path for path in folder.rglob("*") if path.is_file() and _stem(path.name) is not None)
    visible = (
        path for path in files if not any(p.startswith((".", "_")) for p in path.relative_to(folder).parts)
    )
    return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
