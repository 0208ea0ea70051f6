"""What a model bundle holds, as its manifest tells it."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import BaseModel, ConfigDict

__all__ = ["Manifest", "Payload"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Payload(_Section):
    """One model in the bundle: its file, the file's SHA-256, the digest of what was learnt, the names of the
    columns and group codes it looks at, the rows it was trained on."""

    file: str
    sha256: str
    digest: str
    features: tuple[str, ...]
    groups: tuple[str, ...]
    rows: int


class Manifest(_Section):
    """What the bundle holds and where it comes from.

    Attributes
    ----------
    format
        Version of this layout.
    created_for
        Hash of the policy in force.
    created_at
        When it was written; not part of the bundle's id.
    window
        First and last instant (exclusive) of the training data.
    libraries
        Name → version at training.
    models
        Model name → payload.
    """

    format: int
    created_for: str
    created_at: datetime
    window: tuple[datetime, datetime]
    libraries: dict[str, str]
    models: dict[str, Payload]

    @property
    def id(self) -> str:
        """Sixteen hex digits of the content's hash: equal training gives an equal id.

        A model counts with its digest: the bytes of equal models' pickles can differ.
        """
        content = self.model_dump_json(exclude={"created_at": True, "models": {"__all__": {"sha256"}}})
        return hashlib.sha256(content.encode()).hexdigest()[:16]
