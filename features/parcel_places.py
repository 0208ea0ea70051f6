"""Do the places of a parcel agree: delivery with ship-to, first scan with ship-from, that with the warehouse?

Equal strings are settled in the database; only distinct unequal pairs are compared by ``places``.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.parcels import add_columns, values_of
from features.places import place_gap, same_name, same_person, same_postcode, same_region

__all__ = ["add_place_gaps"]

LEVELS = ("country", "region", "city", "postcode")
PLACES: dict[str, tuple[str, str]] = {
    "destination_gap": ("delivered_place.", "ship_to_"),
    "pickup_scan_gap": ("accepted_place.", "ship_from_"),
    "warehouse_gap": ("warehouse_", "ship_from_"),
}
"""Gap → how the columns of its two places begin."""


def add_place_gaps(con: duckdb.DuckDBPyConnection) -> None:
    """Add the gaps of ``PLACES`` (see ``places.place_gap``) and ``signed_by_other`` to ``tk_parcel``."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_place AS
        SELECT p.*, w.country AS warehouse_country, w.region AS warehouse_region, w.city AS warehouse_city,
               w.postcode AS warehouse_postcode
        FROM tk_parcel p JOIN orders USING (o) LEFT JOIN sellers w USING (seller_id) ORDER BY o
    """)
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for gap, (first, second) in PLACES.items():
        same = {level: _compare(con, level, first + level, second + level, second + "country") for level in LEVELS}
        columns[gap] = place_gap(**same)
    person = _compare(con, "person", "delivered_place.signed_by", "recipient_name", "ship_to_country")
    columns["signed_by_other"] = 1 - person
    orders = con.sql("SELECT o FROM tk_place ORDER BY o").to_arrow_table()
    add_columns(con, "tk_parcel", "o", {"o": orders["o"], **columns})
    con.execute("DROP TABLE tk_place")


def _compare(con: duckdb.DuckDBPyConnection, what: str, a: str, b: str, country: str) -> npt.NDArray[np.float64]:
    """The comparison of two columns of ``tk_place``, in order of ``o``, NaN where it cannot be told."""
    open_question = f"{a} <> {b} AND NOT contains({a}, '*') AND NOT contains({b}, '*')"
    pairs = con.sql(f"""
        SELECT DISTINCT {country} AS country, {a} AS a, {b} AS b FROM tk_place
        WHERE {open_question} ORDER BY ALL
    """).to_arrow_table()
    answers = [_ANSWER[what](*pair) for pair in zip(*(column.to_pylist() for column in pairs), strict=True)]
    con.register("tk_answer", pairs.append_column("same", pa.array(answers, pa.float64())))
    table = con.sql(f"""
        SELECT CASE WHEN {a} = {b} AND NOT contains({a}, '*') THEN 1.0 ELSE same END AS same
        FROM tk_place p LEFT JOIN tk_answer t
        ON {a} = t.a AND {b} = t.b AND {country} IS NOT DISTINCT FROM t.country
        ORDER BY o
    """).to_arrow_table()
    con.unregister("tk_answer")
    return values_of(table, "same")


_ANSWER: dict[str, Callable[[str | None, str, str], float]] = {
    "country": lambda _, a, b: 0.0,
    "region": same_region,
    "city": lambda _, a, b: same_name(a, b),
    "postcode": lambda _, a, b: same_postcode(a, b),
    "person": lambda _, a, b: same_person(a, b),
}
