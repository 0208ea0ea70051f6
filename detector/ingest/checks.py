"""What a column's value must look like, as SQL: the typed value, the rules, and a sentence per broken rule.

Every input type is met where it is: text (all CSV, some Parquet) is parsed strictly, native Parquet types
are converted. A value counts as missing when it is null, blank text or NaN.

Decisions that the contract leaves open:

* A time needs a time of day. A bare date is refused: read as midnight it would make a parcel scan look
  earlier than the order it belongs to. Times outside 1990–2199 are impossible (1970-01-01 is how many
  systems write "never").
* An integer is digits with an optional sign. ``5.0`` is accepted, as pandas writes a column with gaps
  so; ``5.00`` is not, as that is how money in major units looks. A float or decimal column is accepted
  where its values are whole.
* A flag is true, false, 1 or 0 (also 1.0 and 0.0), in any case of letters.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pycountry

from detector.contract import Column, Kind
from detector.ingest.sqltext import ident, literal, literals

__all__ = [
    "ISO_INSTANT",
    "SQL_TYPES",
    "ColumnSql",
    "column_sql",
    "create_code_types",
    "drop_code_types",
    "mask_of",
]

SQL_TYPES: dict[Kind, str] = {
    "string": "VARCHAR",
    "currency": "VARCHAR",
    "country": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
}
_INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")} | {
    "INTEGER",
    "UINTEGER",
}
_FLOATS = {"FLOAT", "DOUBLE"}
ISO_INSTANT = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-](0\d|1[0-4])(:?\d{2})?)?"
_INSTANT_RULE = "it must be an ISO 8601 time such as 2024-05-01T13:45:00Z"
_CURRENCY_TYPE, _COUNTRY_TYPE = "ingest_currency", "ingest_country"
_MASKED_NAMES = {"recipient_name", "signed_by"}
_MASKED = {
    *_MASKED_NAMES,
    *("device_id", "ip_address", "payment_id", "recipient_phone", "identifier_value"),
    *("tracking_number", "last_mile_tracking_number", "region", "city", "postcode", "country"),
    *(f"{end}_{part}" for end in ("ship_to", "ship_from") for part in ("country", "region", "city")),
    *("ship_to_postcode", "ship_to_address", "ship_from_postcode"),
}


@dataclass(frozen=True, slots=True)
class ColumnSql:
    """One column as SQL, in two steps, so that each value is parsed once.

    ``value`` is the typed value over the raw relation, null where missing, unparsable or masked. The rest
    is over a relation that has it as ``NAME`` and the raw value as ``_raw_NAME``: ``masked`` is the
    condition that a raw text is masked (where the column can be); ``rules`` are (condition that breaks
    the rule, SQL of the sentence) in the order in which they are judged.
    """

    value: str
    masked: str | None
    rules: tuple[tuple[str, str], ...]


def column_sql(column: Column, sql_type: str) -> ColumnSql:
    """Compile ``column`` for a raw relation where it has the DuckDB type ``sql_type``."""
    raw, kept = ident(column.name), ident("_raw_" + column.name)
    parsed = (
        _text(raw, sql_type) if SQL_TYPES[column.kind] == "VARCHAR" else _parse(column.kind, raw, sql_type)
    )
    can_be_masked = column.name in _MASKED
    value = f"CASE WHEN NOT {_mask(column.name, parsed)} THEN {parsed} END" if can_be_masked else parsed
    masked = _mask(column.name, _text(kept, sql_type)) if can_be_masked else None
    present = _present(kept, sql_type)
    rules = []
    if column.required:
        missing = literal(f"{column.name} is missing; every row needs one")
        rules.append((f"NOT coalesce({present}, false)", missing))
    if sql_type == "BLOB":
        not_text = literal(f"{column.name} is not UTF-8 text; write it as UTF-8")
        rules.append((f"{present} AND TRY(decode({kept})) IS NULL", not_text))
    for broken, should in _value_rules(column, raw, present):
        sentence = (
            f"{literal(column.name + ' is ')} || {_shown(_text(kept, sql_type))} || {literal('; ' + should)}"
        )
        rules.append((broken, sentence))
    return ColumnSql(value, masked, tuple(rules))


def _value_rules(column: Column, value: str, present: str) -> list[tuple[str, str]]:
    """(condition, what would be right) for the rules on a value that is there."""
    if column.kind == "timestamp":
        impossible = f"{value} NOT BETWEEN TIMESTAMP '1990-01-01' AND TIMESTAMP '2199-12-31 23:59:59.999999'"
        return [
            (f"{present} AND {value} IS NULL", _INSTANT_RULE),
            (impossible, "a time must lie between 1990 and 2199"),
        ]
    if column.kind == "bool":
        return [(f"{present} AND {value} IS NULL", "it must be true, false, 1 or 0")]
    if column.kind in ("int", "float"):
        noun = "an integer" if column.kind == "int" else "a number"
        unparsable = (f"{present} AND {value} IS NULL", f"it must be {noun}")
        return [unparsable, *_range_rule(column, value)]
    closed = _closed_list(column)
    if closed is None:
        return []
    list_type, should = closed
    return [(f"{value} IS NOT NULL AND TRY_CAST({value} AS {list_type}) IS NULL", should)]


def _range_rule(column: Column, value: str) -> list[tuple[str, str]]:
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return [(f"{value} NOT BETWEEN {low:g} AND {high:g}", f"it must be from {low:g} to {high:g}")]
    if low is not None:
        return [(f"{value} < {low:g}", f"it must be {low:g} or more")]
    return []


def _closed_list(column: Column) -> tuple[str, str] | None:
    """The type of the values that are allowed, where there is a list, and what would be right."""
    if column.kind == "currency":
        return _CURRENCY_TYPE, "it must be an ISO 4217 currency code such as USD"
    if column.kind == "country":
        return _COUNTRY_TYPE, "it must be an ISO 3166-1 alpha-2 country code such as DE"
    if column.enum:
        return f"ENUM({literals(column.enum)})", f"it must be one of {', '.join(column.enum)}"
    return None


def create_code_types(con: duckdb.DuckDBPyConnection) -> None:
    """Make types of the ISO lists: a cast is a hash look-up, an IN list is searched."""
    lists = {
        _CURRENCY_TYPE: sorted(currency.alpha_3 for currency in pycountry.currencies),
        _COUNTRY_TYPE: sorted(country.alpha_2 for country in pycountry.countries),
    }
    for name, codes in lists.items():
        con.execute(f"CREATE OR REPLACE TYPE {name} AS ENUM ({literals(codes)})")


def drop_code_types(con: duckdb.DuckDBPyConnection) -> None:
    """Undo ``create_code_types``."""
    con.execute(f"DROP TYPE {_CURRENCY_TYPE}")
    con.execute(f"DROP TYPE {_COUNTRY_TYPE}")


def _present(raw: str, sql_type: str) -> str:
    if sql_type in _FLOATS:
        return f"({raw} IS NOT NULL AND NOT isnan({raw}))"
    if sql_type == "VARCHAR":
        blanks = literal(" \t\r\n")
        return f"({raw} >= '!' OR trim({raw}, {blanks}) <> '')"  # the cheap test settles nearly every row
    if sql_type == "BLOB":
        return f"octet_length({raw}) > 0"
    return f"{raw} IS NOT NULL"


def _text(raw: str, sql_type: str) -> str:
    """The value as text; null where missing."""
    if sql_type == "VARCHAR":
        return f"CASE WHEN {_present(raw, sql_type)} THEN {raw} END"
    if sql_type == "BLOB":
        return f"nullif(TRY(decode({raw})), '')"
    if sql_type in _FLOATS:  # ids that pandas turned into floats because some were missing
        whole = f"{raw} = trunc({raw}) AND abs({raw}) < 1e15"
        return (
            f"CASE WHEN isnan({raw}) THEN NULL WHEN {whole} THEN CAST(TRY_CAST({raw} AS BIGINT) AS VARCHAR)"
            f" ELSE CAST({raw} AS VARCHAR) END"
        )
    return f"CAST({raw} AS VARCHAR)"


def _shown(text: str) -> str:
    """The offending value, quoted when it is not a number and cut when long."""
    number = f"regexp_full_match({text}, '-?[0-9]+(\\.[0-9]+)?')"
    short = f"CASE WHEN length({text}) > 40 THEN left({text}, 40) || '…' ELSE {text} END"
    return f"CASE WHEN {number} THEN {text} ELSE '''' || ({short}) || '''' END"


def _mask_sign(name: str) -> str:
    """A mask is two asterisks or more; in a person's name one is enough (``张*``)."""
    return "*" if name in _MASKED_NAMES else "**"


def _mask(name: str, text: str) -> str:
    return f"contains({text}, '{_mask_sign(name)}')"


def mask_of(name: str) -> str | None:
    """What is in a text that hides a value of column ``name``, None where none is hidden; for rows one by one.

    >>> mask_of("recipient_phone") in "+1 *** 17", mask_of("channel")
    (True, None)
    """
    return _mask_sign(name) if name in _MASKED else None


def _parse(kind: Kind, raw: str, sql_type: str) -> str:
    """The typed value, null where missing or unparsable."""
    if sql_type == '"NULL"':
        return f"CAST(NULL AS {SQL_TYPES[kind]})"
    if kind == "timestamp":
        return _instant(raw, sql_type)
    if kind == "bool":
        return _flag(raw, sql_type)
    if kind == "int":
        return _integer(raw, sql_type)
    return _number(raw, sql_type)


def _instant(raw: str, sql_type: str) -> str:
    if sql_type == "VARCHAR":
        iso = f"regexp_full_match(trim({raw}), {literal(ISO_INSTANT)})"
        return f"CASE WHEN {iso} THEN {_utc(f'TRY_CAST({raw} AS TIMESTAMP WITH TIME ZONE)')} END"
    if sql_type == "TIMESTAMPTZ_NS":
        return _utc(f"CAST({raw} AS TIMESTAMP WITH TIME ZONE)")
    if sql_type.startswith("TIMESTAMP"):
        return _utc(raw)
    return "CAST(NULL AS TIMESTAMP)"


def _utc(instant: str) -> str:
    """The instant as a naive UTC timestamp; much faster than timezone('UTC', …)."""
    return f"make_timestamp(epoch_us({instant}))"


def _integer(raw: str, sql_type: str) -> str:
    if sql_type == "VARCHAR":
        number = f"TRY_CAST({raw} AS BIGINT)"  # on its own it would round 5.5 and take 1e3
        plain = f"CAST({number} AS VARCHAR) = {raw}"
        whole = f"({plain} OR regexp_full_match(trim({raw}), '[+-]?[0-9]+(\\.0)?'))"
        return f"CASE WHEN {whole} THEN {number} END"
    if sql_type in _INTEGERS:
        return f"TRY_CAST({raw} AS BIGINT)"
    if sql_type in _FLOATS or sql_type.startswith("DECIMAL"):
        return f"CASE WHEN {raw} = trunc({raw}) THEN TRY_CAST({raw} AS BIGINT) END"
    return "CAST(NULL AS BIGINT)"


def _number(raw: str, sql_type: str) -> str:
    if sql_type == "VARCHAR" or sql_type in _FLOATS:
        number = f"TRY_CAST({raw} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    if sql_type in _INTEGERS or sql_type.startswith("DECIMAL"):
        return f"CAST({raw} AS DOUBLE)"
    return "CAST(NULL AS DOUBLE)"


def _flag(raw: str, sql_type: str) -> str:
    if sql_type == "BOOLEAN":
        return raw
    if sql_type == "VARCHAR":
        word = f"lower(trim({raw}))"
        true, false = "('true', '1', '1.0')", "('false', '0', '0.0')"
        return f"CASE WHEN {word} IN {true} THEN true WHEN {word} IN {false} THEN false END"
    if sql_type in _INTEGERS or sql_type in _FLOATS:
        return f"CASE WHEN {raw} = 1 THEN true WHEN {raw} = 0 THEN false END"
    return "CAST(NULL AS BOOLEAN)"
