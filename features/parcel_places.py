"""Do the places of a parcel agree: delivery with ship-to, first scan with ship-from, that with the warehouse?

Equal strings are settled in the database; only distinct unequal pairs are compared by ``places``.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.parcels import values_of
from features.places import place_gap, same_name, same_person, same_postcode, same_region

__all__ = ["place_gaps"]

Floats = npt.NDArray[np.float64]

_LEVELS = ("country", "region", "city", "postcode")


def _columns(prefix: str, name: str) -> str:
    return ", ".join(f"{prefix}{level} AS {name}_{level}" for level in _LEVELS)


_QUERIES: dict[str, str] = {
    "destination_gap": f"""
        SELECT o, {_columns("e.", "a")}, {_columns("ship_to_", "b")}, e.signed_by AS a_person,
               recipient_name AS b_person FROM tk_scan e JOIN orders USING (o) WHERE is_delivery""",
    "pickup_scan_gap": f"""
        SELECT o, {_columns("e.", "a")}, {_columns("ship_from_", "b")}, NULL AS a_person, NULL AS b_person
        FROM tk_scan e JOIN tk_parcel p USING (o) JOIN tk_shipment USING (s) WHERE NOT is_delivery""",
    "warehouse_gap": f"""
        SELECT o, {_columns("w.", "a")}, {_columns("ship_from_", "b")}, NULL AS a_person, NULL AS b_person
        FROM tk_parcel p JOIN tk_shipment h USING (o, s) JOIN orders USING (o)
        JOIN sellers w USING (seller_id)""",
}
"""Gap → query of its two places (and persons) ``a_`` and ``b_`` for every order where both may be known."""

_ANSWER: dict[str, Callable[[str | None, str, str], float]] = {
    "country": lambda _, a, b: 0.0,
    "region": same_region,
    "city": lambda _, a, b: same_name(a, b),
    "postcode": lambda _, a, b: same_postcode(a, b),
    "person": lambda _, a, b: same_person(a, b),
}


def place_gaps(con: duckdb.DuckDBPyConnection, orders: int) -> dict[str, Floats]:
    """The gaps (see ``places.place_gap``) and ``signed_by_other`` of every order, NaN if unknown."""
    columns: dict[str, Floats] = {}
    for gap, query in _QUERIES.items():
        same = _compare(con, query, orders)
        columns[gap] = place_gap(*(same[level] for level in _LEVELS))
        if gap == "destination_gap":
            columns["signed_by_other"] = 1 - same["person"]
    return columns


def _compare(con: duckdb.DuckDBPyConnection, query: str, orders: int) -> dict[str, Floats]:
    """Per level one answer for every order: 1 if written alike, else what ``places`` says, NaN unknown."""
    alike = ", ".join(
        f"CASE WHEN a_{w} = b_{w} AND NOT contains(a_{w}, '*') THEN 1.0 END AS {w}" for w in _ANSWER
    )
    table = con.sql(f"SELECT o, {alike} FROM ({query})").to_arrow_table()
    rows = table["o"].to_numpy()
    same = {what: np.full(orders, np.nan) for what in _ANSWER}
    for what, answer in same.items():
        answer[rows] = values_of(table, what)
    opened = _answer_open(con, query)
    for what, answer in same.items():
        mine = opened.filter(pc.equal(opened["what"], what))
        answer[mine["o"].to_numpy()] = values_of(mine, "same")
    return same


def _answer_open(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """``o``, ``what`` and ``same`` of all values that are not written alike; each distinct pair is asked once."""
    unequal = " OR ".join(f"a_{what} <> b_{what}" for what in _ANSWER)
    whats, a, b = (", ".join(form.format(what) for what in _ANSWER) for form in ("'{}'", "a_{}", "b_{}"))
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_open AS
        SELECT * FROM (SELECT o, b_country AS country, unnest([{whats}]) AS what, unnest([{a}]) AS a,
                              unnest([{b}]) AS b FROM ({query}) WHERE {unequal})
        WHERE a <> b AND NOT contains(a, '*') AND NOT contains(b, '*')
    """)
    pairs = con.sql("SELECT DISTINCT what, country, a, b FROM tk_open").to_arrow_table()
    columns = [pairs[name].to_pylist() for name in ("what", "country", "a", "b")]
    same = [_ANSWER[what](country, a, b) for what, country, a, b in zip(*columns, strict=True)]
    con.register("tk_answer", pairs.append_column("same", pa.array(same, pa.float64())))
    answers = con.sql("""
        SELECT o, t.what, same FROM tk_open t JOIN tk_answer s
        ON t.what = s.what AND t.a = s.a AND t.b = s.b AND t.country IS NOT DISTINCT FROM s.country
    """).to_arrow_table()
    con.unregister("tk_answer")
    con.execute("DROP TABLE tk_open")
    return answers
