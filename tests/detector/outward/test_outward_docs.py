"""docs/outward.md: its example verifies, its table is the code's."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from detector.outward.announce import KINDS
from detector.outward.dispatch import LEASE
from detector.outward.webhooks import body_of, new_secret
from detector.reference import markdown_table
from detector.settings import Settings
from detector.store.messages import Message

PAGE = (Path(__file__).parents[3] / "docs" / "outward.md").read_text(encoding="utf-8")
SECRET = new_secret(lambda size: bytes(range(size)))
PAYLOAD = {"seller_id": "S1", "measures_in_force": [], "measures_proposed": [], "measures_scheduled": []}
MESSAGE = Message("msg_1", "S1", "seller.measures", PAYLOAD, datetime(2024, 3, 1, 12, tzinfo=UTC), 1)


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def signed(at: datetime) -> dict[str, str]:
    signature = Webhook(SECRET).sign(MESSAGE.message_id, at, body_of(MESSAGE))
    return {
        "webhook-id": MESSAGE.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def test_the_example_takes_what_we_sign_and_nothing_else() -> None:
    example: dict[str, Any] = {}
    exec(block("python"), example)
    now, body = datetime.now(UTC), body_of(MESSAGE).encode()
    message_id, content = example["receive"](SECRET, signed(now), body)
    assert (message_id, content) == ("msg_1", json.loads(block("json")))
    for headers, sent in (
        (signed(now), body.replace(b"S1", b"S2")),
        (signed(now - timedelta(minutes=6)), body),
        ({**signed(now), "webhook-id": "msg_2"}, body),
    ):
        with pytest.raises(WebhookVerificationError):
            example["receive"](SECRET, headers, sent)


def test_the_table_has_every_kind() -> None:
    table = markdown_table(("type", "says"), ((f"`{kind}`", KINDS[kind]) for kind in KINDS))
    assert f"<!-- table kinds -->\n\n{table}\n\n<!-- end -->" in PAGE


def test_the_numbers_are_the_code_s() -> None:
    settings = Settings(_env_file=None)
    assert f"after {LEASE.total_seconds():g} seconds" in PAGE
    assert f"after {settings.outbox_attempts} failures" in PAGE
    assert f"{settings.outbox_retry_seconds:g} seconds, doubled" in PAGE
    assert f"within {settings.outbox_timeout_seconds:g} seconds" in PAGE
