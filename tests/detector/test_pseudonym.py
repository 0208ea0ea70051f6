"""Pseudonyms: keyed, stable, one way, and their key file."""

from __future__ import annotations

import hashlib
import stat
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.contract import INPUT_TABLES
from detector.pseudonym import IDENTITY_COLUMNS, PseudonymError, Veil, load_key, pseudonym

KEY = b"an old and secret key of 32 byte"


def test_is_a_keyed_blake2b_over_kind_and_value() -> None:
    mac = hashlib.blake2b("phone\0+49 30 ü".encode(), digest_size=16, key=KEY)
    assert pseudonym(KEY, "phone", "+49 30 ü") == f"phone:{mac.hexdigest()}"
    long = KEY * 3
    assert pseudonym(long, "ip", "::1") == pseudonym(hashlib.blake2b(long).digest(), "ip", "::1")


@given(st.text())
def test_a_sealed_name_is_equal_to_itself_and_opened_with_the_key_alone(name: str) -> None:
    sealed = Veil(KEY).veiled("name", name)
    assert sealed == Veil(KEY).veiled("name", name)
    assert Veil(KEY).opened(sealed) == name
    assert len(name) < 3 or name not in sealed
    if name:
        with pytest.raises(PseudonymError, match="sealed with another pseudonym key"):
            Veil(KEY[::-1]).opened(sealed)


def test_depends_on_key_kind_and_value() -> None:
    names = {
        pseudonym(KEY, "device", "a"),
        pseudonym(KEY, "phone", "a"),
        pseudonym(KEY, "device", "b"),
        pseudonym(KEY[::-1], "device", "a"),
    }
    assert len(names) == 4
    assert pseudonym(KEY, "device", "a") in names


@given(
    st.lists(
        st.tuples(st.sampled_from(["device", "ip", "name"]), st.none() | st.sampled_from(["", "a", "b"]))
    )
)
def test_many_values_are_veiled_as_each_one_is(told: list[tuple[str, str | None]]) -> None:
    veil = Veil(KEY)
    found = veil.veiled_all([kind for kind, _ in told], [value for _, value in told])
    assert found == [None if value is None else veil.veiled(kind, value) for kind, value in told]
    assert veil.veiled_all(repeat("ip"), ["::1", None]) == [pseudonym(KEY, "ip", "::1"), None]


def test_identity_columns_are_columns_of_the_contract() -> None:
    for table, columns in IDENTITY_COLUMNS.items():
        assert set(columns) <= set(INPUT_TABLES[table].column_names)


def test_key_from_the_environment(tmp_path: Path) -> None:
    environment = {"TRUETRADE_PSEUDONYM_KEY": "0123456789abcdef"}
    assert load_key(environment, tmp_path / "key") == b"0123456789abcdef"
    assert not (tmp_path / "key").exists()
    with pytest.raises(PseudonymError, match="TRUETRADE_PSEUDONYM_KEY has 5 bytes; a pseudonym key needs 16"):
        load_key({"TRUETRADE_PSEUDONYM_KEY": "short"}, tmp_path / "key")


def test_key_file_is_made_once_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = load_key({}, path)
    assert len(bytes.fromhex(key.decode())) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key({}, path) == key


def test_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_key({}, path)
    path.chmod(0o640)
    with pytest.raises(PseudonymError, match="can be read by others; run chmod 600 on it"):
        load_key({}, path)


def test_key_file_that_is_too_short_or_cannot_be_made(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("short\n")
    path.chmod(0o600)
    with pytest.raises(PseudonymError, match="key has 5 bytes"):
        load_key({}, path)
    with pytest.raises(PseudonymError, match="cannot be made: No such file or directory"):
        load_key({}, tmp_path / "nowhere/key")
