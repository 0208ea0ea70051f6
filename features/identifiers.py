"""Identifiers of accounts, normalised so that two spellings of one thing are equal.

Everything is a DuckDB macro, so that millions of values never leave the engine.
"""

from __future__ import annotations

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
CREATE OR REPLACE TEMP MACRO known(value) AS
    CASE WHEN length(trim(value)) > 0 AND NOT contains(value, '***') THEN value END;
CREATE OR REPLACE TEMP MACRO plain(value) AS lower(strip_accents(trim(known(value))));
CREATE OR REPLACE TEMP MACRO phone_key(value) AS
    CASE WHEN length(regexp_replace(known(value), '\D', '', 'g')) >= 6
         THEN right(regexp_replace(known(value), '\D', '', 'g'), 9) END;
CREATE OR REPLACE TEMP MACRO email_key(value) AS
    CASE WHEN plain(value) LIKE '%_@_%'
         THEN replace(split_part(split_part(plain(value), '@', 1), '+', 1), '.', '')
              || '@' || split_part(plain(value), '@', 2) END;
CREATE OR REPLACE TEMP MACRO street_words(address) AS regexp_replace(address,
    '\b(flat|apt|apartment|unit|suite|room|floor|tower|building|block|street|road|avenue|jalan|calle|rua)\b',
    ' ', 'g');
CREATE OR REPLACE TEMP MACRO address_key(address, postcode) AS
    CASE WHEN plain(address) IS NOT NULL AND regexp_matches(plain(address), '\d') THEN
        list_aggregate(list_sort(list_distinct(regexp_extract_all(
            plain(address) || ' ' || coalesce(plain(postcode), ''), '[a-z]{0,2}\d+[a-z]{0,2}'))),
            'string_agg', '|')
        || '|' || left(coalesce(nullif(regexp_extract(street_words(plain(address)), '[a-z]{3,}'), ''),
                                nullif(regexp_extract(plain(address), '(.{1,4})\d', 1), ''), ''), 4)
    END;
"""


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define ``known``, ``plain``, ``phone_key``, ``email_key`` and ``address_key`` on the connection.

    Each gives null for a masked (``***``), empty or too short value. An address key is made of what typing
    errors rarely touch: every number in it (house, unit, postcode) and the start of the street's name, so
    it is the same for ``ship_to_address`` plus ``ship_to_postcode`` and for one free text with both.
    """
    con.execute(_MACROS)


LINKS = """
CREATE OR REPLACE TEMP TABLE identifier_links AS
SELECT DISTINCT account_kind, account_id, kind, hash(kind, value) AS identifier FROM (
    SELECT 'buyer' AS account_kind, buyer_id AS account_id, 'device' AS kind, plain(device_id) AS value
    FROM orders
    UNION ALL SELECT 'buyer', buyer_id, 'ip', plain(ip_address) FROM orders
    UNION ALL SELECT 'buyer', buyer_id, 'payment', plain(payment_id) FROM orders
    UNION ALL SELECT 'buyer', buyer_id, 'phone', phone_key(recipient_phone) FROM orders
    UNION ALL SELECT 'buyer', buyer_id, 'address', address_key(ship_to_address, ship_to_postcode) FROM orders
    UNION ALL SELECT account_kind, account_id, identifier_kind, CASE identifier_kind
            WHEN 'phone' THEN phone_key(identifier_value)
            WHEN 'email' THEN email_key(identifier_value)
            WHEN 'address' THEN address_key(identifier_value, '')
            ELSE plain(identifier_value) END
    FROM account_identifiers
) WHERE value IS NOT NULL
"""
"""One row per (account, identifier): the kind and a 64-bit key of the normalised value."""
