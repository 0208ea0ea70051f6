"""What the platform has on file about accounts: devices, phones, cards, addresses, papers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.contract import ACCOUNT_KINDS, IDENTIFIER_KINDS
from detector.simulate.frame import Array, mix
from detector.simulate.geo import street_line
from detector.simulate.people import fixed_ip, phone_numbers
from detector.simulate.text import choose, opaque, render
from detector.simulate.world import World

__all__ = ["DEVICE_SALT", "PAYMENT_SALT", "dotted", "identifier_rows"]

DEVICE_SALT, PAYMENT_SALT, OTHER_SALT = 1001, 1002, 1003
_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "qq.com", "163.com", "mail.com")
BUYER, SELLER, CREATOR, PARTNER = range(4)


def dotted(ip: Array) -> pa.StringArray:
    """IPv4 addresses as text."""
    parts = {
        name: (ip >> np.uint32(shift)) & np.uint32(255)
        for name, shift in zip("abcd", (24, 16, 8, 0), strict=True)
    }
    return render("{a}.{b}.{c}.{d}", **parts)


def identifier_rows(world: World) -> tuple[Array, Array, Array, pa.StringArray]:
    """Account kind, account, identifier kind and value of every identifier on file, each once."""
    kinds, accounts, codes, handles = [], [], [], []
    for kind, identifier, account, handle in _held(world):
        keep = handle >= 0
        kinds.append(np.full(int(keep.sum()), kind))
        accounts.append(account[keep])
        codes.append(np.full(int(keep.sum()), IDENTIFIER_KINDS.index(identifier)))
        handles.append(handle[keep])
    columns = [np.concatenate(parts) for parts in (kinds, accounts, codes, handles)]
    key = mix(columns[1] * 64 + columns[0] * 16 + columns[2], 831) ^ mix(columns[3], 832)
    _, first = np.unique(key, return_index=True)
    who, account, code, held = (column[first] for column in columns)
    return who, account, code, _values(world, code, held)


def _values(world: World, code: Array, handle: Array) -> pa.StringArray:
    pieces, positions = [], []
    for one in np.unique(code):
        at = np.flatnonzero(code == one)
        pieces.append(_value(world, IDENTIFIER_KINDS[one], handle[at]))
        positions.append(at)
    return pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(positions), kind="stable")))


def _held(world: World) -> list[tuple[int, str, Array, Array]]:
    """(account kind, identifier kind, accounts, handles); a negative handle is not on file."""
    buyers, sellers, creators, partners = world.buyers, world.sellers, world.creators, world.partners
    who, shops, stars = np.arange(len(buyers)), np.arange(len(sellers)), np.arange(len(creators))
    agencies = np.arange(len(partners))
    own = [
        (BUYER, name, who, _on_file(buyers[column], who, i, share))
        for i, (name, column, share) in enumerate(_BUYER_FILE)
    ]
    own += [
        (SELLER, name, shops, _on_file(sellers[column], shops, 20 + i, share))
        for i, (name, column, share) in enumerate(_SELLER_FILE)
    ]
    own += [
        (CREATOR, name, stars, _on_file(creators[column], stars, 40 + i, share))
        for i, (name, column, share) in enumerate(_CREATOR_FILE)
    ]
    own += [(PARTNER, name, agencies, partners[column].astype(np.int64)) for name, column in _PARTNER_FILE]
    links = world.links
    for kind in range(len(ACCOUNT_KINDS)):
        for code, name in enumerate(IDENTIFIER_KINDS):
            at = (links["kind"] == kind) & (links["identifier"] == code)
            if at.any():
                own.append((kind, name, links["account"][at].astype(np.int64), links["value"][at]))
    return own


_BUYER_FILE = (
    ("device", "device0", 0.85),
    ("device", "device1", 0.7),
    ("device", "device2", 0.7),
    ("phone", "phone", 0.7),
    ("email", "email", 0.75),
    ("payment", "payment0", 0.6),
    ("payment", "payment1", 0.6),
    ("address", "home", 0.35),
)
_SELLER_FILE = (
    ("device", "device", 0.92),
    ("ip", "nat", 0.85),
    ("phone", "phone", 0.97),
    ("bank_account", "bank", 0.97),
    ("payment", "bank", 0.3),
    ("document", "document", 0.9),
    ("address", "warehouse", 0.95),
    ("address", "owner_home", 0.5),
)
_CREATOR_FILE = (
    ("device", "device", 0.85),
    ("phone", "phone", 0.9),
    ("bank_account", "bank", 0.85),
    ("document", "document", 0.8),
)
_PARTNER_FILE = (("device", "device"), ("phone", "phone"), ("bank_account", "bank"), ("document", "document"))


def _on_file(handle: Array, account: Array, salt: int, share: float) -> Array:
    known = (mix(account, 300 + salt) % np.uint64(10_000)).astype(float) / 10_000 < share
    return np.where(known, handle.astype(np.int64), -1)


def _value(world: World, identifier: str, handle: Array) -> pa.StringArray:
    if identifier == "device":
        return opaque(handle, DEVICE_SALT)
    if identifier == "payment":
        return opaque(handle, PAYMENT_SALT)
    if identifier == "phone":
        return phone_numbers(world.geo, handle)
    if identifier == "ip":
        return dotted(fixed_ip(handle))
    if identifier == "address":
        return _full_address(world, handle)
    if identifier == "email":
        box = pc.utf8_slice_codeunits(opaque(handle, OTHER_SALT), 0, 11)
        return render("{box}@{mail}", box=box, mail=choose(_MAIL, (handle % len(_MAIL)).astype(np.int64)))
    return opaque(handle, OTHER_SALT + IDENTIFIER_KINDS.index(identifier))


def _full_address(world: World, rows: Array) -> pa.StringArray:
    posts = choose(world.geo.postcodes, world.addresses["post"][rows].astype(np.int64))
    cities = choose(world.geo.cities, world.addresses["city"][rows].astype(np.int64))
    return render(
        "{line}, {post} {city}", line=street_line(world.addresses, world.geo, rows), post=posts, city=cities
    )
