"""Shipments: labels, numbers, weights, and where each parcel is really headed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from detector.simulate.draft import Parcel
from detector.simulate.frame import DAY, HOUR, Array, mix
from detector.simulate.lanes import Carriers, domestic_carrier
from detector.simulate.life import Life
from detector.simulate.numbers import mangle, tracking_numbers
from detector.simulate.text import where
from detector.simulate.world import World

__all__ = ["Shipments", "ship"]


@dataclass(slots=True)
class Shipments:
    """One row per parcel label. ``source`` is the shipment whose number and trace it shows (its own)."""

    order: Array
    carrier: Array
    number: pa.StringArray
    last_carrier: Array
    last_number: pa.StringArray
    label: Array
    shipped: Array
    uploaded: Array
    arrived: Array
    mode: Array
    source: Array
    origin_city: Array
    origin_post: Array
    target_city: Array
    target_post: Array
    cross: Array
    pick_up: Array
    declared_g: Array
    measured_g: Array
    lost: Array

    def __len__(self) -> int:
        return len(self.order)


def ship(world: World, carriers: Carriers, life: Life, weight_g: tuple[Array, Array]) -> Shipments:
    """Labels of all orders that got one; ``weight_g`` are true and catalogue grams per order."""
    rng, orders = world.rng("parcels"), world.orders
    labelled = np.flatnonzero(life.label >= 0)
    split = (orders["more_lines"][labelled] > 0) & (rng.random(len(labelled)) < 0.12)
    split &= orders["parcel"][labelled] == Parcel.NORMAL
    order = np.concatenate([labelled, labelled[split]])
    part = np.concatenate([np.where(split, 0.6, 1.0), np.full(int(split.sum()), 0.4)])
    mode = orders["parcel"][order].astype(np.int64)
    carrier = orders["carrier"][order].astype(np.int64)
    source = _sources(rng, world, life, order, mode)
    carrier = carrier[source]
    city, post = _targets(rng, world, order, mode)
    true_g, catalogue_g = weight_g
    measured = _measured(rng, true_g[order] * part, mode)
    country = world.addresses["country"][orders["address"][order]].astype(np.int64)
    last_carrier = domestic_carrier(world, carriers, country, _unit(mix(order, 51)))
    cross = orders["cross"][order]
    has_last = cross & (_unit(mix(order, 52)) < 0.65) & (mode != Parcel.FABRICATED)
    numbers = _numbers(rng, world, carriers, order, carrier, 1)
    typed = (mode == Parcel.FABRICATED) | ((mode == Parcel.NORMAL) & (rng.random(len(order)) < 0.002))
    return Shipments(
        order=order,
        carrier=carrier,
        number=_spoilt(rng, numbers, typed).take(pa.array(source)),
        last_carrier=np.where(has_last, last_carrier, -1),
        last_number=where(has_last, _numbers(rng, world, carriers, order, last_carrier, 2)).take(
            pa.array(source)
        ),
        label=life.label[order] - _printed_early(rng, (mode == Parcel.NORMAL) & (carrier != carriers.wise)),
        shipped=life.shipped[order],
        uploaded=_uploaded(rng, world, life.shipped[order]),
        arrived=life.arrived[order],
        mode=np.where(
            typed & (mode == Parcel.NORMAL) & (rng.random(len(order)) < 0.7), Parcel.FABRICATED, mode
        ),
        source=source,
        origin_city=orders["ship_city"][order].astype(np.int64),
        origin_post=orders["ship_post"][order].astype(np.int64),
        target_city=city,
        target_post=post,
        cross=cross,
        pick_up=(carrier == carriers.wise) | (_unit(mix(orders["seller"][order], 53)) < 0.6),
        declared_g=_declared(rng, catalogue_g[order] * part, true_g[order] * part, measured),
        measured_g=measured,
        lost=life.lost[order],
    )


def _printed_early(rng: np.random.Generator, able: Array) -> Array:
    """A few shops print labels in stock: some are older than the order they are stuck on."""
    early = able & (rng.random(len(able)) < 0.004)
    return np.where(early, rng.integers(2, 90, len(able)) * HOUR, 0)


def _uploaded(rng: np.random.Generator, world: World, shipped: Array) -> Array:
    """When the shop said that it had sent the parcel: at once, or days later when it remembered."""
    forgot = (shipped >= 0) & (rng.random(len(shipped)) < 0.006)
    said = np.where(forgot, shipped + rng.integers(6, 100, len(shipped)) * HOUR, shipped)
    return np.where(said < world.params.end, said, -1)


def _unit(key: Array) -> Array:
    return np.asarray((key % np.uint64(1_000_003)).astype(float) / 1_000_003)


def _sources(rng: np.random.Generator, world: World, life: Life, order: Array, mode: Array) -> Array:
    """Whose number and trace each shipment shows: its own, its parent's, or a stranger's."""
    own = np.arange(len(order))
    shipment_of = np.full(len(world.orders), -1, dtype=np.int64)
    shipment_of[order[::-1]] = own[::-1]
    source = own.copy()
    together = np.flatnonzero(np.isin(mode, (Parcel.COMBINED, Parcel.OLD_NUMBER)))
    source[together] = shipment_of[world.orders["parent"][order[together]]]
    source[source < 0] = own[source < 0]
    strangers = _strangers(rng, world, life, order, mode)
    copied = strangers >= 0
    source[copied] = strangers[copied]
    return source


def _strangers(rng: np.random.Generator, world: World, life: Life, order: Array, mode: Array) -> Array:
    """For reused numbers: an ordinary parcel of the shop or at least of the country, sent shortly before."""
    found = np.full(len(order), -1, dtype=np.int64)
    ordinary = np.flatnonzero(
        (mode == Parcel.NORMAL) & ~world.orders["fake"][order] & (life.shipped[order] > 0)
    )
    seller, country = (
        world.orders["seller"][order],
        world.addresses["country"][world.orders["address"][order]],
    )
    sent = life.shipped[order]
    near_home = rng.random(len(order)) < 0.5
    for row in np.flatnonzero(mode == Parcel.REUSED):
        pool = ordinary[seller[ordinary] == seller[row]] if near_home[row] else ordinary[:0]
        if len(pool) < 3:
            at = int(rng.integers(0, max(1, len(ordinary) - 3000)))
            window = ordinary[at : at + 3000]
            pool = window[country[window] == country[row]]
        if len(pool):
            lag = np.abs(sent[pool] - sent[row] + 3 * DAY) + rng.integers(0, 4 * DAY, len(pool))
            found[row] = pool[int(np.argmin(lag))]
    return found


def _targets(rng: np.random.Generator, world: World, order: Array, mode: Array) -> tuple[Array, Array]:
    """City and postcode the parcel is really carried to.

    A few genuine ones follow their buyer to another city, more go to a counter or locker of the city.
    """
    geo, addresses = world.geo, world.addresses
    address = world.orders["address"][order]
    city, post = addresses["city"][address].astype(np.int64), addresses["post"][address].astype(np.int64)
    away = np.flatnonzero(
        (mode == Parcel.ELSEWHERE) | ((mode == Parcel.NORMAL) & (rng.random(len(mode)) < 0.003))
    )
    other = geo.draw_cities(rng, geo.city_country[city[away]])
    step = np.where(other == city[away], 1, 0)
    first = geo.first_city[geo.city_country[other]]
    size = np.bincount(geo.city_country)[geo.city_country[other]]
    city[away] = first + (other - first + step) % size
    post[away] = geo.draw_postcodes(rng, city[away])
    counter = np.flatnonzero(rng.random(len(mode)) < 0.03)
    post[counter] = geo.draw_postcodes(rng, city[counter])
    return city, post


def _measured(rng: np.random.Generator, true_g: Array, mode: Array) -> Array:
    """What a carrier's scale shows: goods and packing, or next to nothing."""
    n = len(true_g)
    packed = true_g * rng.normal(1.0, 0.03, n) + rng.gamma(2.0, 22.0, n) + 8
    empty = rng.gamma(3.0, 14.0, n) + 12
    fake_trace = np.isin(mode, (Parcel.FEATHER, Parcel.ELSEWHERE, Parcel.OTHER_STREET, Parcel.TWO_NODE))
    light = (mode == Parcel.FEATHER) | (fake_trace & (rng.random(n) < 0.55))
    return np.maximum(np.where(light, np.minimum(empty, packed), packed), 5).astype(np.int64)


def _declared(rng: np.random.Generator, catalogue_g: Array, true_g: Array, measured: Array) -> Array:
    """What the label says: the catalogue, a guess, the scale of the shop, or nothing."""
    how = rng.random(len(measured))
    guess = np.round(true_g * rng.uniform(0.7, 1.4, len(measured)) / 50) * 50 + 50
    value = np.where(how < 0.55, catalogue_g, np.where(how < 0.8, guess, measured))
    return np.where(how > 0.94, -1, value).astype(np.int64)


def _numbers(
    rng: np.random.Generator, world: World, carriers: Carriers, order: Array, carrier: Array, leg: int
) -> pa.StringArray:
    """A valid number per shipment: sequential in a shop's batches where the carrier works so."""
    seller, created = world.orders["seller"][order], world.orders["created"][order]
    sequence = np.lexsort((created, mix(seller, 61)))
    pieces, positions = [], []
    for code in np.unique(carrier):
        at = sequence[carrier[sequence] == code]
        step = 1 if carriers.sequential[code] else 387_420_489
        start = int(mix(np.array([world.params.seed * 997 + int(code) * 31 + leg]), 62)[0] % np.uint64(10**9))
        serial = (np.arange(len(at), dtype=np.int64) * step + start) % 10**9
        pieces.append(tracking_numbers(carriers.template[code], serial))
        positions.append(at)
    back = np.argsort(np.concatenate(positions), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(back))


def _spoilt(rng: np.random.Generator, numbers: pa.StringArray, typed: Array) -> pa.StringArray:
    """Replace the numbers that were mistyped or made up."""
    rows = np.flatnonzero(typed)
    if len(rows) == 0:
        return numbers
    invented = pa.array(mangle(rng, numbers.take(pa.array(rows)).to_pylist()), pa.string())
    place = np.arange(len(numbers))
    place[rows] = len(numbers) + np.arange(len(rows))
    return pa.concat_arrays([numbers, invented]).take(pa.array(place))
