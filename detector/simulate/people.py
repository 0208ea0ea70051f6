"""Buyers: where they live, what they hold in their hands, how they are reached, from which network."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from detector.simulate.frame import DAY, Array, Frame, mix, pick
from detector.simulate.geo import COMPANY, Geo, new_addresses, words
from detector.simulate.text import choose, render, where

__all__ = [
    "add_buyers",
    "buyers_frame",
    "fixed_ip",
    "full_names",
    "ip_addresses",
    "move_together",
    "new_handles",
    "new_phones",
    "phone_numbers",
]

_FAMILY_SPAN = 1000
"""A name code is family * 1000 + given, each taken modulo the length of the country's list."""
_PUBLIC_OCTETS = np.array([1, 2, 5, 14, 27, 36, 39, 42, 49, 58, 61, 73, 81, 86, 91, 103, 110, 114, 118, 122])
_PUBLIC_OCTETS = np.concatenate([_PUBLIC_OCTETS, _PUBLIC_OCTETS[1:] + 60])


def buyers_frame() -> Frame:
    """Accounts. ``nat`` keys the home network, ``mobile`` is the share of orders over carrier-grade NAT."""
    return Frame(
        {
            "country": ("i1", 0),
            "home": ("i4", -1),
            "work": ("i4", -1),
            "name": ("i4", 0),
            "phone": ("i8", -1),
            "email": ("i8", -1),
            "registered": ("i8", -1),
            "device0": ("i8", -1),
            "device1": ("i8", -1),
            "device2": ("i8", -1),
            "payment0": ("i8", -1),
            "payment1": ("i8", -1),
            "nat": ("i8", -1),
            "mobile": ("f4", 0.5),
            "weight": ("f8", 1.0),
            "document": ("i8", -1),
        }
    )


def new_handles(rng: np.random.Generator, n: int) -> Array:
    """Random keys of things in the world (a phone, a card, a router): 62 bits, never negative."""
    return rng.integers(0, 2**62, n)


def new_phones(rng: np.random.Generator, country: Array) -> Array:
    """Phone handles; the low four bits hold the country whose calling code the number has."""
    return (new_handles(rng, len(country)) & ~np.int64(15)) | country


def add_buyers(
    buyers: Frame,
    addresses: Frame,
    geo: Geo,
    rng: np.random.Generator,
    country: Array,
    end: int,
    **given: Array,
) -> Array:
    """Append ordinary people of the given countries; ``given`` columns replace what they would have."""
    n = len(country)
    home = given.pop("home", None)
    home = new_addresses(addresses, geo, rng, geo.draw_cities(rng, country)) if home is None else home
    age = np.minimum(rng.exponential(420, n) * DAY, 1700 * DAY).astype(np.int64)
    values: dict[str, Array] = {
        "name": rng.integers(0, 1000, n) * _FAMILY_SPAN + rng.integers(0, 1000, n),
        "phone": new_phones(rng, country),
        "email": np.where(rng.random(n) < 0.72, new_handles(rng, n), -1),
        "registered": end - age - rng.integers(0, DAY, n),
        "device0": new_handles(rng, n),
        "device1": np.where(rng.random(n) < 0.34, new_handles(rng, n), -1),
        "device2": np.where(rng.random(n) < 0.09, new_handles(rng, n), -1),
        "payment0": np.where(rng.random(n) < 0.88, new_handles(rng, n), -1),
        "payment1": np.where(rng.random(n) < 0.16, new_handles(rng, n), -1),
        "nat": new_handles(rng, n),
        "mobile": rng.beta(1.2, 1.2, n),
        "weight": rng.lognormal(0.0, 1.25, n),
        "work": _workplaces(addresses, geo, rng, addresses["city"][home], 0.12),
    }
    return buyers.add(n, country=country, home=home, **(values | given))


def _workplaces(addresses: Frame, geo: Geo, rng: np.random.Generator, city: Array, share: float) -> Array:
    """A second address for some people: an office in their city, a few of them in one tower."""
    chosen = np.flatnonzero(rng.random(len(city)) < share)
    work = np.full(len(city), -1, dtype=np.int64)
    work[chosen] = new_addresses(addresses, geo, rng, city[chosen].astype(np.int64), COMPANY, flats=0.9)
    return work


def move_together(buyers: Frame, rng: np.random.Generator) -> None:
    """Let one account in eight live with another: one roof and router, often a card, at times a device."""
    n = len(buyers)
    by_country = np.lexsort((rng.random(n), buyers["country"]))
    joins = np.flatnonzero(rng.random(n - 1) < 0.125) + 1
    joins = joins[np.diff(joins, prepend=-1) > 1]
    one, other = by_country[joins - 1], by_country[joins]
    same = buyers["country"][one] == buyers["country"][other]
    one, other = one[same], other[same]
    for column, share in (("home", 1.0), ("nat", 1.0), ("payment0", 0.3), ("device1", 0.15)):
        shared = rng.random(len(one)) < share
        buyers[column][other[shared]] = buyers[column][one[shared]]
    family = buyers["name"][one] // _FAMILY_SPAN * _FAMILY_SPAN
    related = rng.random(len(one)) < 0.6
    buyers["name"][other[related]] = (family + buyers["name"][other] % _FAMILY_SPAN)[related]


def full_names(geo: Geo, country: Array, name: Array) -> pa.StringArray:
    """Names as written in the country of each person."""
    pieces: list[pa.Array] = [pa.array([], pa.string())]
    positions: list[Array] = [np.empty(0, dtype=np.int64)]
    for code in np.unique(country):
        at = np.flatnonzero(country == code)
        lists = words()["names"][geo.countries[code]]
        family = choose(lists["family"], (name[at] // _FAMILY_SPAN) % len(lists["family"]))
        given = choose(lists["given"], (name[at] % _FAMILY_SPAN) % len(lists["given"]))
        order = lists.get("order", "given_first")
        template = {"given_first": "{g} {f}", "family_first": "{f}{g}", "family_first_space": "{f} {g}"}[
            order
        ]
        pieces.append(render(template, f=family, g=given))
        positions.append(at)
    order_back = np.argsort(np.concatenate(positions), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(order_back))


def phone_numbers(geo: Geo, phone: Array) -> pa.StringArray:
    """International numbers: the calling code and nine digits of the subscriber; null where negative."""
    code = geo.calling[np.minimum(phone & 15, len(geo.calling) - 1)]
    subscriber = (mix(phone, 3) % np.uint64(899_999_999)).astype(np.int64) + 100_000_000
    return where(phone >= 0, render("+{code}{number}", code=code, number=subscriber))


def ip_addresses(
    rng: np.random.Generator, buyers: Frame, who: Array, created: Array, cgn_pool: Array
) -> NDArrayU32:
    """The public address each buyer came from: the home line (which changes) or a mobile gateway.

    ``cgn_pool`` counts the gateways of each country; one gateway serves hundreds of people at once.
    """
    nat, country = buyers["nat"][who], buyers["country"][who].astype(np.int64)
    lease = ((mix(nat, 21) % np.uint64(70)).astype(np.int64) + 3) * DAY
    home = mix(nat + created // lease * 7919, 22)
    gateway = mix(who + created // (6 * 3_600_000_000), 23) % cgn_pool[country].astype(np.uint64)
    mobile = mix(gateway + country.astype(np.uint64) * np.uint64(1_000_003), 24)
    roaming = mix(nat + created // 3_600_000_000, 25)
    chance = rng.random(len(who))
    on_mobile = chance < buyers["mobile"][who]
    return _public(np.where(on_mobile, mobile, np.where(chance > 0.97, roaming, home)))


def _public(key: Array) -> NDArrayU32:
    """Any 64-bit key as a public IPv4 address."""
    first = _PUBLIC_OCTETS[(key % np.uint64(len(_PUBLIC_OCTETS))).astype(np.int64)].astype(np.uint64)
    return ((first << np.uint64(24)) | (key >> np.uint64(40))).astype(np.uint32)


def fixed_ip(key: Array) -> NDArrayU32:
    """The unchanging public address of a network such as an office or a campus."""
    return _public(mix(key, 26))


NDArrayU32 = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]


def countries_for(rng: np.random.Generator, geo: Geo, n: int) -> Array:
    """A home country for each of ``n`` buyers."""
    return pick(rng, geo.buyer_share, n)
