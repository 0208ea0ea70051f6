"""``truetrade serve`` before it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.serve import serve
from detector.errors import InputError
from detector.settings import Settings


def test_a_file_is_not_shared_by_several_workers(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(InputError, match="one worker; several want a postgresql:// database"):
        serve(settings, "127.0.0.1", 0, 2)
