"""Every operation × every role, and no key, an expired and a revoked one."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from serving import Server

from api.app import create_app
from api.roles import ALLOWED, PUBLIC, table_markdown
from detector.roles import ROLES
from detector.settings import Settings
from detector.store.database import connect
from detector.store.keys import create_key, revoke_key

DOCS = Path(__file__).parents[2] / "docs" / "api-roles.md"


def _call(server: Server, operation: str, role: str | None) -> int:
    """The status of the operation, called with an empty JSON object on something that is not there."""
    method, path = operation.split()
    path = re.sub(r"\{\w+\}", "nothing-here", path)
    body = {} if method in ("POST", "PUT", "PATCH") else None
    with server.client(role) as client:
        return client.request(method, path, json=body, headers={"If-Match": '"1"'}).status_code


@pytest.mark.parametrize("operation", ALLOWED)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_else(
    server: Server, operation: str, role: str
) -> None:
    status = _call(server, operation, role)
    if role in ALLOWED[operation]:
        assert status in (200, 404, 412, 422)
    else:
        assert status == 403


@pytest.mark.parametrize("operation", ALLOWED)
@pytest.mark.parametrize("holder", [None, "expired", "revoked"])
def test_without_a_working_key_nothing_is_answered(
    server: Server, operation: str, holder: str | None
) -> None:
    assert _call(server, operation, holder) == 401


@pytest.mark.parametrize("operation", PUBLIC)
def test_what_is_public_needs_no_key(server: Server, operation: str) -> None:
    assert _call(server, operation, None) == 200


def test_the_table_lists_every_route_and_no_other() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert routes | {"GET /openapi.json"} == {*ALLOWED, *PUBLIC}


def test_the_docs_print_the_table() -> None:
    assert table_markdown() in DOCS.read_text(encoding="utf-8"), (
        "docs/api-roles.md is out of date: python -m api.roles"
    )


def test_a_revoked_key_is_refused_within_five_seconds(server: Server) -> None:
    """The key was in use, so the server remembers it as good until it looks again."""
    engine = connect(server.database_url)
    now = datetime.now(UTC)
    with engine.begin() as connection:
        key = create_key(connection, role="auditor", name="leaver", now=now)
    server.keys["leaver"] = key.token
    assert _call(server, "GET /metrics", "leaver") == 200
    with engine.begin() as connection:
        revoke_key(connection, key.key_id, now)
    end = time.monotonic() + 6
    while (status := _call(server, "GET /metrics", "leaver")) == 200 and time.monotonic() < end:
        time.sleep(0.2)
    assert status == 401
    engine.dispose()
