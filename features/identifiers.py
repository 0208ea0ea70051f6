"""Identifiers of accounts, normalised so that two spellings of one thing are equal.

Everything is a DuckDB macro, so that millions of values never leave the engine.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

KIND_STRENGTH: dict[str, float] = {
    "document": 1.0,
    "bank_account": 1.0,
    "email": 0.95,
    "payment": 0.9,
    "device": 0.85,
    "phone": 0.85,
    "address": 0.5,
    "ip": 0.2,
}
"""How much sharing one rare identifier says that two accounts are one person or household (0–1)."""

_MACROS = r"""
CREATE OR REPLACE MACRO exact_sum(value) AS sum(round(1e12 * value)::HUGEINT)::DOUBLE / 1e12;
CREATE OR REPLACE MACRO known(value) AS
    CASE WHEN length(trim(value)) > 0 AND NOT contains(value, '***') THEN value END;
CREATE OR REPLACE MACRO plain(value) AS lower(strip_accents(trim(known(value))));
CREATE OR REPLACE MACRO phone_key(value) AS
    CASE WHEN length(regexp_replace(known(value), '\D', '', 'g')) >= 6
         THEN right(regexp_replace(known(value), '\D', '', 'g'), 9) END;
CREATE OR REPLACE MACRO email_key(value) AS
    CASE WHEN plain(value) LIKE '%_@_%'
         THEN replace(split_part(split_part(plain(value), '@', 1), '+', 1), '.', '')
              || '@' || split_part(plain(value), '@', 2) END;
CREATE OR REPLACE MACRO street_words(address) AS regexp_replace(address,
    '\b(flat|apt|apartment|unit|suite|room|floor|tower|building|block|street|road|avenue|jalan|calle|rua)\b',
    ' ', 'g');
CREATE OR REPLACE MACRO address_key(address, postcode) AS
    CASE WHEN plain(address) IS NOT NULL AND regexp_matches(plain(address), '\d') THEN
        list_aggregate(list_sort(list_distinct(regexp_extract_all(
            plain(address) || ' ' || coalesce(plain(postcode), ''), '[a-z]{0,2}\d+[a-z]{0,2}'))),
            'string_agg', '|')
        || '|' || left(coalesce(nullif(regexp_extract(street_words(plain(address)), '[a-z]{3,}'), ''),
                                nullif(regexp_extract(plain(address), '(.{1,4})\d', 1), ''), ''), 4)
    END;
"""


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define ``exact_sum``, ``known``, ``plain``, ``phone_key``, ``email_key`` and ``address_key``.

    ``exact_sum`` adds fractions (twelve digits) so that the order of the rows does not show in the last bits.
    Each of the others gives null for a masked (``***``), empty or too short value. An address key is made of what typing
    errors rarely touch: every number in it (house, unit, postcode) and the start of the street's name, so
    it is the same for ``ship_to_address`` plus ``ship_to_postcode`` and for one free text with both.
    """
    con.execute(_MACROS)


_FROM_ORDERS = {
    "device": "known(device_id)",
    "ip": "known(ip_address)",
    "payment": "known(payment_id)",
    "phone": "phone_key(recipient_phone)",
    "address": "address_key(ship_to_address, ship_to_postcode)",
}
_FROM_ACCOUNTS = {"phone": "phone_key(v)", "email": "email_key(v)", "address": "address_key(v, '')"}


def create_links(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identifier_links(account, is_buyer, kind, identifier)``, one distinct row per link.

    ``account`` is the 64-bit hash of the account's kind and id, ``identifier`` that of the normalised value:
    millions of links are compared as integers. ``kind`` is an ENUM of ``KIND_STRENGTH``'s kinds.
    ``accounts(account, account_kind, account_id)`` names the accounts.
    """
    con.execute(f"""
        CREATE OR REPLACE TABLE identifier_links AS
        WITH used AS MATERIALIZED ({" UNION ALL ".join(_branches())})
        SELECT account, any_value(is_buyer) AS is_buyer, any_value(kind) AS kind, identifier
        FROM used WHERE identifier IS NOT NULL GROUP BY account, identifier;
        CREATE OR REPLACE TABLE accounts AS
        SELECT hash('buyer', buyer_id) AS account, 'buyer' AS account_kind, buyer_id AS account_id
        FROM (SELECT DISTINCT buyer_id FROM orders)
        UNION SELECT hash(account_kind, account_id), account_kind, account_id
        FROM (SELECT DISTINCT account_kind, account_id FROM account_identifiers)
    """)


def _branches() -> Iterator[str]:
    """One SELECT per kind and source; a value that is not known has a null identifier."""
    kinds = f"ENUM{tuple(KIND_STRENGTH)}"
    for kind, value in _FROM_ORDERS.items():
        rows = "(SELECT DISTINCT buyer_id, ship_to_address, ship_to_postcode FROM orders)"
        yield f"""
            SELECT hash('buyer', buyer_id) AS account, true AS is_buyer, '{kind}'::{kinds} AS kind,
                   CASE WHEN value IS NOT NULL THEN hash('{kind}', value) END AS identifier
            FROM (SELECT buyer_id, {value} AS value FROM {rows if kind == "address" else "orders"})
        """
    for kind in KIND_STRENGTH:
        yield f"""
            SELECT hash(account_kind, account_id), account_kind = 'buyer', '{kind}'::{kinds},
                   CASE WHEN value IS NOT NULL THEN hash('{kind}', value) END
            FROM (SELECT account_kind, account_id, {_FROM_ACCOUNTS.get(kind, "known(v)")} AS value FROM (
                SELECT *, identifier_value AS v FROM account_identifiers WHERE identifier_kind = '{kind}'))
        """
