"""API keys: shown once, verified by hash, ended by expiry, rotation and revocation."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from detector.cli import app
from detector.store.database import connect, upgrade
from detector.store.keys import (
    API_KEYS,
    ROTATION_OVERLAP,
    KeyEnded,
    UnknownKey,
    create_key,
    find_key,
    key_id_of,
    list_keys,
    revoke_key,
    rotate_key,
    verify,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_key_verifies_its_own_token_only(store: Engine) -> None:
    with store.begin() as connection:
        made = create_key(connection, role="scorer", name="checkout", now=NOW)
        other = create_key(connection, role="scorer", name="checkout", now=NOW)
        key = find_key(connection, made.key_id)
    assert key is not None
    assert key_id_of(made.token) == made.key_id
    assert verify(key, made.token)
    assert not verify(key, other.token)
    assert not verify(key, f"tt_{made.key_id}_" + other.token.rpartition("_")[2])
    assert not verify(key, made.token[:-1])
    assert not verify(key, "")


def test_the_secret_is_stored_nowhere(store: Engine) -> None:
    with store.begin() as connection:
        made = create_key(connection, role="scorer", name="checkout", now=NOW)
        (row,) = connection.execute(select(API_KEYS)).all()
    secret = made.token.removeprefix(f"tt_{made.key_id}_")
    assert len(secret) >= 43
    assert secret not in str(row)
    assert "$argon2id$" in str(row)
    assert made.token not in repr(made)


def test_a_key_ends_at_its_expiry_to_the_microsecond(store: Engine) -> None:
    ends = NOW + timedelta(days=30)
    with store.begin() as connection:
        made = create_key(connection, role="auditor", name="a", now=NOW, expires_at=ends)
        key = find_key(connection, made.key_id)
    assert key is not None
    assert key.works_at(ends - timedelta(microseconds=1))
    assert not key.works_at(ends)


def test_a_revoked_key_stays_revoked_at_its_first_revocation(store: Engine) -> None:
    with store.begin() as connection:
        made = create_key(connection, role="admin", name="a", now=NOW)
        revoke_key(connection, made.key_id, NOW + timedelta(hours=1))
        revoke_key(connection, made.key_id, NOW + timedelta(hours=2))
        key = find_key(connection, made.key_id)
    assert key is not None
    assert key.revoked_at == NOW + timedelta(hours=1)
    assert not key.works_at(NOW + timedelta(hours=1))


def test_rotation_gives_an_equal_key_and_ends_the_old_one_a_day_later(store: Engine) -> None:
    later = NOW + timedelta(days=10)
    with store.begin() as connection:
        old = create_key(connection, role="ingest", name="wms", now=NOW, expires_at=NOW + timedelta(days=90))
        new = rotate_key(connection, old.key_id, later)
        first, second = list_keys(connection)
    assert (first.key_id, second.key_id) == (old.key_id, new.key_id)
    assert first.expires_at == later + ROTATION_OVERLAP
    assert (second.role, second.name) == ("ingest", "wms")
    assert second.expires_at == later + timedelta(days=90)
    assert verify(second, new.token)


def test_rotation_never_lengthens_the_old_key(store: Engine) -> None:
    ends = NOW + timedelta(hours=1)
    with store.begin() as connection:
        old = create_key(connection, role="ingest", name="wms", now=NOW, expires_at=ends)
        rotate_key(connection, old.key_id, NOW)
        key = find_key(connection, old.key_id)
    assert key is not None
    assert key.expires_at == ends


def test_an_ended_key_cannot_be_rotated(store: Engine) -> None:
    with store.begin() as connection:
        made = create_key(connection, role="ingest", name="wms", now=NOW)
        revoke_key(connection, made.key_id, NOW)
        with pytest.raises(KeyEnded, match=made.key_id):
            rotate_key(connection, made.key_id, NOW)
        with pytest.raises(UnknownKey, match="nobody"):
            revoke_key(connection, "nobody", NOW)


@pytest.mark.parametrize("token", ["", "tt", "tt_", "tt_abc", "tt_abc_", "xx_abc_def", "Bearer"])
def test_what_is_not_a_key_has_no_look_up_id(token: str) -> None:
    assert key_id_of(token) is None


def test_the_command_line_makes_lists_rotates_and_revokes(database_url: str) -> None:
    upgrade(engine := connect(database_url))
    run = CliRunner().invoke
    made = run(
        app,
        [
            "keys",
            "create",
            "--role",
            "scorer",
            "--name",
            "checkout",
            "--expires",
            "30",
            "--database-url",
            database_url,
        ],
    )
    assert made.exit_code == 0, made.output
    token = made.output.strip()
    key_id = key_id_of(token)
    assert key_id is not None
    listed = run(app, ["keys", "list", "--database-url", database_url]).output
    assert key_id in listed
    assert "scorer" in listed
    assert token not in listed
    rotated = run(app, ["keys", "rotate", key_id, "--database-url", database_url]).output.strip()
    assert re.fullmatch(r"tt_[0-9a-f]{16}_[\w-]{43}", rotated)
    assert "revoked" in run(app, ["keys", "revoke", key_id, "--database-url", database_url]).output
    with engine.connect() as connection:
        revoked, working = list_keys(connection)
    assert revoked.revoked_at is not None
    assert verify(working, rotated)
    assert (
        run(
            app, ["keys", "create", "--role", "king", "--name", "x", "--database-url", database_url]
        ).exit_code
        == 2
    )
    engine.dispose()


def test_one_check_costs_little_enough_for_a_server(store: Engine) -> None:
    with store.begin() as connection:
        made = create_key(connection, role="scorer", name="checkout", now=NOW)
        key = find_key(connection, made.key_id)
    assert key is not None
    began = time.process_time()
    assert verify(key, made.token)
    assert time.process_time() - began < 0.5
