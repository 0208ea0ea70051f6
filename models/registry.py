"""A folder of bundles with two pointers: the champion scores, the challenger is compared with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from models import bundle
from models.bundle import Bundle
from models.errors import BundleError
from models.forest import AnomalyModel

Role = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class Registry:
    """Bundles under ``folder/<id>``, all signed with ``key``."""

    folder: Path
    key: bytes

    def add(
        self,
        models: Mapping[str, AnomalyModel],
        *,
        created_for: str,
        created_at: datetime,
        window: tuple[datetime, datetime],
    ) -> str:
        """Keep a bundle (see ``bundle.save``) and return its id; one that is there already stays as it is."""
        draft = self.folder / f".new-{os.getpid()}"
        id_ = bundle.save(
            draft, models, key=self.key, created_for=created_for, created_at=created_at, window=window
        )
        if (self.folder / id_).exists():
            shutil.rmtree(draft)
        else:
            os.rename(draft, self.folder / id_)
        return id_

    def appoint(self, role: Role, id_: str) -> None:
        """Point ``role`` at a bundle that verifies.

        Raises
        ------
        BundleError
            There is no such bundle or it does not verify; the pointer stays where it was.
        """
        if id_ not in self.ids():
            raise BundleError(f"{self.folder} holds no bundle {id_!r}; it holds {self.ids() or 'none'}")
        bundle.load(self.folder / id_, key=self.key)
        draft = self.folder / f".{role}-{id_}"
        draft.write_text(id_)
        os.replace(draft, self.folder / role)

    def get(self, role: Role) -> Bundle | None:
        """The bundle that ``role`` points at, verified; None where nobody was appointed."""
        pointer = self.folder / role
        return bundle.load(self.folder / pointer.read_text(), key=self.key) if pointer.exists() else None

    def ids(self) -> list[str]:
        """Ids of the bundles kept, sorted."""
        return sorted(found.name for found in self.folder.glob("[0-9a-f]*") if found.is_dir())
