"""Processes that receive what is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from outward_delivery import Receiver, until

from detector.outward.webhooks import new_secret


@pytest.fixture
def receive(tmp_path: Path) -> Iterator[Callable[..., Receiver]]:
    """``receive(plan)`` starts a receiver."""
    running: list[subprocess.Popen[bytes]] = []

    def start(plan: list[int | str] | None = None) -> Receiver:
        folder = tmp_path / f"receiver{len(running)}"
        folder.mkdir()
        secret = new_secret(lambda size: bytes(range(size)))
        script = Path(__file__).with_name("receiver.py")
        command = [sys.executable, str(script), str(folder), secret, json.dumps(plan or [])]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        until((folder / "port").exists)
        return Receiver(folder, secret)

    yield start
    for process in running:
        process.kill()
        process.wait()
