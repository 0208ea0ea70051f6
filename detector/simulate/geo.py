"""Countries, cities and postcodes of the simulated world, and what an address looks like there."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa

from detector.simulate.frame import Array, Frame, mix, pick, stream
from detector.simulate.text import choose, render

__all__ = [
    "HOME",
    "LOCKERS_PER_CITY",
    "Geo",
    "addresses_frame",
    "load_geo",
    "new_addresses",
    "read_rows",
    "street_line",
    "words",
]

HOME, COMPANY, DORMITORY, FORWARDER, LOCKER = range(5)
"""Kinds of address: the last line before the street differs."""

LOCKERS_PER_CITY = 6

_LINES: dict[str, tuple[str, str]] = {
    "CN": ("{street}{number}号", "{street}{number}号{unit}室"),
    "US": ("{number} {street}", "{number} {street} Apt {unit}"),
    "GB": ("{number} {street}", "Flat {unit}, {number} {street}"),
    "ID": ("{street} No. {number}", "{street} No. {number}, Unit {unit}"),
    "TH": ("{number} {street}", "{number}/{unit} {street}"),
    "MY": ("No. {number}, {street}", "Unit {unit}, No. {number}, {street}"),
    "PH": ("{number} {street}", "Unit {unit}, {number} {street}"),
    "VN": ("{number} {street}", "P.{unit}, {number} {street}"),
    "SG": ("Blk {number} {street}", "Blk {number} {street} #{unit}"),
    "DE": ("{street} {number}", "{street} {number}, Whg. {unit}"),
    "ES": ("{street} {number}", "{street} {number}, piso {unit}"),
    "JP": ("{street}{number}", "{street}{number}-{unit}"),
    "MX": ("{street} {number}", "{street} {number} Int. {unit}"),
}
_PREFIX = ("", "Office Tower, ", "Student Residence, ", "Parcel Forwarding Centre, ", "Parcel Locker, ")


def read_rows(name: str) -> list[dict[str, str]]:
    text = files("detector.simulate").joinpath("data", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def words() -> dict[str, Any]:
    """Names, streets, product nouns and review sentences."""
    return tomllib.loads(files("detector.simulate").joinpath("data", "words.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Geo:
    """Countries by position, cities by position, postcodes by position (``post_*``)."""

    countries: tuple[str, ...]
    currencies: tuple[str, ...]
    languages: tuple[str, ...]
    calling: Array
    utc_offset: Array
    minor_per_usd: Array
    step_minor: Array
    buyer_share: Array
    seller_share: Array
    masking: Array
    cities: tuple[str, ...]
    regions: tuple[str | None, ...]
    city_country: Array
    city_weight: Array
    lat: Array
    lon: Array
    first_city: Array
    postcodes: tuple[str, ...]
    post_first: Array
    post_count: Array
    post_lat: Array
    post_lon: Array

    def country(self, code: str) -> int:
        return self.countries.index(code)

    def city(self, name: str) -> int:
        return self.cities.index(name)

    def draw_cities(self, rng: np.random.Generator, country: Array) -> Array:
        """A city for each country position, by the cities' weights."""
        city = np.empty(len(country), dtype=np.int64)
        for code in np.unique(country):
            rows = country == code
            members = np.flatnonzero(self.city_country == code)
            city[rows] = members[pick(rng, self.city_weight[members], int(rows.sum()))]
        return city

    def draw_postcodes(self, rng: np.random.Generator, city: Array) -> Array:
        """A postcode position for each city; some quarters are denser than others."""
        skewed = rng.random(len(city)) ** 1.6
        return self.post_first[city] + (skewed * self.post_count[city]).astype(np.int64)

    def distance_km(self, a: Array, b: Array) -> Array:
        """Great-circle distance between two columns of city positions."""
        lat_a, lat_b = np.radians(self.lat[a]), np.radians(self.lat[b])
        d_lat, d_lon = lat_b - lat_a, np.radians(self.lon[b] - self.lon[a])
        h = np.sin(d_lat / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin(d_lon / 2) ** 2
        return np.asarray(12742.0 * np.arcsin(np.sqrt(np.clip(h, 0, 1))))


def load_geo(seed: int) -> Geo:
    """Read the tables and lay out each city's postcodes."""
    countries, cities = read_rows("countries.csv"), read_rows("cities.csv")
    codes = tuple(row["country"] for row in countries)
    city_country = np.array([codes.index(row["country"]) for row in cities])
    posts = [_postcodes(row["postcode"], stream(seed, f"post{i}")) for i, row in enumerate(cities)]
    count = np.array([len(p) for p in posts])
    lat, lon = _numbers(cities, "lat"), _numbers(cities, "lon")
    owner = np.repeat(np.arange(len(cities)), count)
    jitter = mix(np.arange(len(owner)), 77)
    north = ((jitter % np.uint64(2000)).astype(float) / 1000 - 1) * 0.09
    east = ((jitter // np.uint64(2000) % np.uint64(2000)).astype(float) / 1000 - 1) * 0.09
    return Geo(
        countries=codes,
        currencies=tuple(row["currency"] for row in countries),
        languages=tuple(row["language"] for row in countries),
        calling=_numbers(countries, "calling_code").astype(np.int64),
        utc_offset=_numbers(countries, "utc_offset_h").astype(np.int64),
        minor_per_usd=_numbers(countries, "minor_per_usd"),
        step_minor=_numbers(countries, "step_minor").astype(np.int64),
        buyer_share=_numbers(countries, "buyer_share"),
        seller_share=_numbers(countries, "seller_share"),
        masking=_numbers(countries, "masking"),
        cities=tuple(row["city"] for row in cities),
        regions=tuple(row["region"] or None for row in cities),
        city_country=city_country,
        city_weight=_numbers(cities, "weight"),
        lat=lat,
        lon=lon,
        first_city=np.array([int(np.flatnonzero(city_country == i)[0]) for i in range(len(codes))]),
        postcodes=tuple(code for p in posts for code in p),
        post_first=np.concatenate([[0], np.cumsum(count)[:-1]]),
        post_count=count,
        post_lat=lat[owner] + north,
        post_lon=lon[owner] + east,
    )


def _numbers(rows: list[dict[str, str]], name: str) -> Array:
    return np.array([float(row[name]) for row in rows])


def _postcodes(pattern: str, rng: np.random.Generator) -> list[str]:
    """Up to 80 postcodes of a pattern: # a digit, % a digit from 1, @ a letter that UK codes use."""
    alphabets = {"#": "0123456789", "%": "123456789", "@": "ABDEFGHJLNPQRSTUWXYZ"}
    draws = rng.random((80, len(pattern)))
    drawn = set()
    for row in draws:
        letters = [alphabets.get(c, c) for c in pattern]
        drawn.add("".join(letter[int(u * len(letter))] for letter, u in zip(letters, row, strict=True)))
    return sorted(drawn)


def addresses_frame() -> Frame:
    """Addresses: a postcode, a street of the country, a house number, a unit (-1: none)."""
    return Frame(
        {
            "country": ("i1", 0),
            "city": ("i2", 0),
            "post": ("i4", 0),
            "street": ("i2", 0),
            "number": ("i4", 1),
            "unit": ("i4", -1),
            "kind": ("i1", HOME),
        }
    )


def new_addresses(
    frame: Frame, geo: Geo, rng: np.random.Generator, city: Array, kind: int = HOME, flats: float = 0.5
) -> Array:
    """Append one address in each given city and return their positions."""
    n = len(city)
    return frame.add(
        n,
        country=geo.city_country[city],
        city=city,
        post=geo.draw_postcodes(rng, city),
        street=rng.integers(0, 1000, n),
        number=1 + (rng.exponential(60, n)).astype(np.int64),
        unit=np.where(rng.random(n) < flats, rng.integers(1, 30, n) * 100 + rng.integers(1, 20, n), -1),
        kind=kind,
    )


def add_lockers(frame: Frame, geo: Geo, rng: np.random.Generator) -> Array:
    """The parcel lockers of each city, as a (cities, LOCKERS_PER_CITY) array of addresses."""
    city = np.repeat(np.arange(len(geo.cities)), LOCKERS_PER_CITY)
    return new_addresses(frame, geo, rng, city, LOCKER, flats=0.0).reshape(-1, LOCKERS_PER_CITY)


def street_line(frame: Frame, geo: Geo, rows: Array) -> pa.StringArray:
    """Street, number and unit of the given addresses, in the order their country writes them."""
    pieces, positions = [], []
    has_unit = frame["unit"][rows] >= 0
    for code in np.unique(frame["country"][rows]):
        name = geo.countries[code]
        streets = words()["streets"][name]
        for flat in (False, True):
            at = np.flatnonzero((frame["country"][rows] == code) & (has_unit == flat))
            mine = rows[at]
            pieces.append(
                render(
                    "{prefix}" + _LINES[name][flat],
                    prefix=choose(_PREFIX, frame["kind"][mine].astype(np.int64)),
                    street=choose(streets, frame["street"][mine].astype(np.int64) % len(streets)),
                    number=frame["number"][mine],
                    unit=frame["unit"][mine],
                )
            )
            positions.append(at)
    order = np.argsort(np.concatenate(positions), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(order))
