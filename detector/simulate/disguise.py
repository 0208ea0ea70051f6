"""Addresses and names as they were typed: slips, spellings, and what the platform masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.simulate.frame import Array, mix
from detector.simulate.geo import street_line
from detector.simulate.people import full_names, new_phones, phone_numbers
from detector.simulate.text import choose
from detector.simulate.world import World

__all__ = ["MASK", "recipients", "ship_to_columns"]

MASK = "***"


def ship_to_columns(world: World) -> dict[str, pa.Array]:
    """The recipient and ship_to columns of all orders."""
    orders, rng, geo = world.orders, world.rng("disguise"), world.geo
    address = orders["address"].astype(np.int64)
    country = world.addresses["country"][address].astype(np.int64)
    city = world.addresses["city"][address].astype(np.int64)
    post = choose(geo.postcodes, world.addresses["post"][address].astype(np.int64))
    street = _typed(rng, street_line(world.addresses, geo, address))
    name = recipients(world, np.arange(len(orders)))
    masked = rng.random(len(orders)) < geo.masking[country]
    strict = masked & (rng.random(len(orders)) < 0.4)
    typo = orders["typo"]
    post = _edit(post, np.flatnonzero(typo == 1), _wrong_digit)
    cities = _edit(choose(geo.cities, city), np.flatnonzero(typo == 2), _swap)
    street = _edit(street, np.flatnonzero(typo == 3), _swap)
    regions = choose([region or "" for region in geo.regions], city)
    blank = pa.array(
        np.array([region is None for region in geo.regions])[city] | (rng.random(len(orders)) < 0.02)
    )
    return {
        "recipient_name": _masked(name, masked, keep_first=True),
        "recipient_phone": _masked(_phones(world, rng), masked, keep_first=False),
        "ship_to_country": choose(geo.countries, country),
        "ship_to_region": pc.if_else(blank, pa.scalar(None, pa.string()), regions),
        "ship_to_city": cities,
        "ship_to_postcode": _masked(post, strict, keep_first=False),
        "ship_to_address": _masked(street, masked, keep_first=False),
    }


def recipients(world: World, rows: Array) -> pa.StringArray:
    """The unmasked name on the parcel of the given orders."""
    orders, buyers = world.orders, world.buyers
    buyer = orders["buyer"][rows]
    name = np.where(orders["recipient"][rows] >= 0, orders["recipient"][rows], buyers["name"][buyer])
    return full_names(world.geo, buyers["country"][buyer].astype(np.int64), name.astype(np.int64))


def _phones(world: World, rng: np.random.Generator) -> pa.StringArray:
    """The buyer's number, or another person's where the parcel goes to one; now and then none."""
    orders, buyers = world.orders, world.buyers
    buyer = orders["buyer"]
    other = new_phones(rng, buyers["country"][buyer].astype(np.int64))
    phone = np.where(orders["recipient"] >= 0, other, buyers["phone"][buyer])
    return phone_numbers(world.geo, np.where(rng.random(len(orders)) < 0.02, -1, phone))


def _typed(rng: np.random.Generator, text: pa.Array) -> pa.Array:
    """Some people write in capitals, some in small letters, some drop the commas."""
    how = rng.random(len(text))
    text = pc.if_else(pa.array(how < 0.06), pc.utf8_upper(text), text)
    text = pc.if_else(pa.array((how > 0.06) & (how < 0.11)), pc.utf8_lower(text), text)
    return pc.if_else(pa.array(how > 0.95), pc.replace_substring(text, ",", ""), text)


def _masked(text: pa.Array, hidden: Array, keep_first: bool) -> pa.Array:
    if keep_first:
        stars = pc.binary_join_element_wise(pc.utf8_slice_codeunits(text, 0, 1), MASK, "")
    else:
        stars = pa.array([MASK] * 1, pa.string()).take(pa.array(np.zeros(len(text), dtype=np.int64)))
    return pc.if_else(pa.array(hidden), stars, text)


def _edit(text: pa.Array, rows: Array, change: Callable[[str, int], str]) -> pa.Array:
    """Rewrite the given rows with a function of (text, number)."""
    if len(rows) == 0:
        return text
    salt = (mix(rows, 95) % np.uint64(1000)).astype(int)
    pairs = zip(text.take(pa.array(rows)).to_pylist(), salt, strict=True)
    changed = pa.array([change(t, int(s)) for t, s in pairs], pa.string())
    place = np.arange(len(text))
    place[rows] = len(text) + np.arange(len(rows))
    return pa.concat_arrays([text, changed]).take(pa.array(place))


def _wrong_digit(text: str, salt: int) -> str:
    places = [i for i, c in enumerate(text) if c.isdigit()]
    at = places[salt % len(places)]
    return text[:at] + str((int(text[at]) + 1 + salt % 8) % 10) + text[at + 1 :]


def _swap(text: str, salt: int) -> str:
    """Two neighbouring letters change places, or one is lost."""
    at = 1 + salt % max(1, len(text) - 2)
    return text[:at] + text[at + 1 :] if salt % 2 else text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
