"""Links between accounts of different kinds: seller, owner, staff, creator, partner, buyer (2.1.a).

A buyer is related to a seller when they share a rare identifier, when another account of the buyer's entity
does, or when the seller is one of a group of sellers of one owner. One staff member who buys once from the
shop is not a scheme, so the features count how much of it there is.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.declare import Feature
from features.identifiers import KIND_STRENGTH

MAX_DEGREE = 12
"""Accounts (of all kinds) up to which a shared identifier relates accounts of different kinds."""

_NEEDS = ("account_identifiers.identifier_value",)
_NO_IDS = "The input names no identifier of any seller."

FEATURES: tuple[Feature, ...] = (
    Feature(
        "seller_link_strength",
        "How strongly (0–1) the buyer is tied to the seller by shared identifiers, directly, through the "
        "buyer's entity, or through a seller of the same owner.",
        _NO_IDS,
        _NEEDS,
        kind="snapshot",
        entity="pair",
        clause="self_dealing",
        source="2.1.a",
    ),
    Feature(
        "seller_linked_orders",
        "Orders at this seller from buyers tied to it with strength 0.4 or more.",
        _NO_IDS,
        _NEEDS,
        kind="snapshot",
        entity="seller",
        clause="self_dealing",
        source="2.1.a",
    ),
    Feature(
        "pair_linked_orders",
        "Orders at this seller by the buyer's entity, where it is tied to the seller; 0 where it is not.",
        _NO_IDS,
        _NEEDS,
        kind="snapshot",
        entity="pair",
        clause="self_dealing",
    ),
    Feature(
        "gang_orders",
        "Orders that buyers tied to other sellers placed at this seller, where this seller's own people "
        "bought at those sellers in return; counted when this order is one of them.",
        _NO_IDS,
        _NEEDS,
        kind="snapshot",
        entity="pair",
        clause="self_dealing",
        source="2.1.a: a seller gang",
    ),
    Feature(
        "buyer_is_sellers",
        "Strength (0–1) of the buyer's strongest tie to any other seller; 0 where it is tied to this one.",
        _NO_IDS,
        _NEEDS,
        kind="snapshot",
        entity="buyer",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``related_accounts(kind_a, id_a, kind_b, id_b, strength, via)`` and ``f_related``.

    Strength is the identifier kind's own, divided by ``log2`` of how many share it, the buyer accounts of one
    entity counted once, 0.99 at most, and combined over several shared identifiers by noisy-or.
    """
    _related_accounts(con)
    _seller_ties(con)
    _features(con)
    con.execute("DROP TABLE seller_ties; DROP TABLE gang_pairs; DROP TABLE owner_groups")


def _related_accounts(con: duckdb.DuckDBPyConnection) -> None:
    strength = " ".join(f"WHEN '{kind}' THEN {value}" for kind, value in KIND_STRENGTH.items())
    con.execute(f"""
        CREATE OR REPLACE TABLE rare_links AS
        SELECT a.account_kind, a.account_id, kind, identifier,
               count(DISTINCT coalesce(entity_id, a.account_kind || ' ' || a.account_id))
                   OVER (PARTITION BY identifier) AS degree
        FROM identifier_links l SEMI JOIN (
            SELECT identifier FROM identifier_links GROUP BY identifier
            HAVING count(*) BETWEEN 2 AND {MAX_DEGREE} AND count(*) FILTER (NOT is_buyer) > 0
        ) USING (identifier)
        JOIN accounts a USING (account)
        LEFT JOIN buyer_entity e ON is_buyer AND e.buyer_id = a.account_id;
        CREATE OR REPLACE TABLE related_accounts AS
        SELECT a.account_kind AS kind_a, a.account_id AS id_a, b.account_kind AS kind_b, b.account_id AS id_b,
               round(1 - product(1 - least(0.99, CASE a.kind {strength} ELSE 0.2 END
                   / log2(greatest(2, a.degree)))), 9) AS strength,
               string_agg(DISTINCT a.kind::VARCHAR, ', ' ORDER BY a.kind::VARCHAR) AS via
        FROM rare_links a JOIN rare_links b USING (kind, identifier)
        WHERE (a.account_kind, a.account_id) <> (b.account_kind, b.account_id)
          AND NOT (a.account_kind = 'buyer' AND b.account_kind = 'buyer')
        GROUP BY ALL;
        DROP TABLE rare_links
    """)


def _seller_ties(con: duckdb.DuckDBPyConnection) -> None:
    """``seller_ties(entity_id, seller_id, strength)``: direct, by entity, and through sellers of one owner."""
    con.execute("""
        CREATE OR REPLACE TABLE owner_groups AS
        SELECT id_a AS seller_id, id_b AS other, strength FROM related_accounts
        WHERE kind_a = 'seller' AND kind_b = 'seller' AND strength >= 0.4;
        CREATE OR REPLACE TABLE seller_ties AS
        WITH direct AS (
            SELECT e.entity_id, r.id_a AS seller_id, max(r.strength) AS strength
            FROM related_accounts r JOIN buyer_entity e ON e.buyer_id = r.id_b
            WHERE r.kind_a = 'seller' AND r.kind_b = 'buyer' GROUP BY ALL),
        through_owner AS (
            SELECT d.entity_id, g.other AS seller_id, 0.9 * d.strength * g.strength AS strength
            FROM direct d JOIN owner_groups g USING (seller_id)),
        through_agent AS (
            SELECT e.entity_id, s.id_a AS seller_id, 0.8 * s.strength * b.strength AS strength
            FROM related_accounts s JOIN related_accounts b
                ON s.kind_b IN ('creator', 'partner') AND b.kind_a = s.kind_b AND b.id_a = s.id_b
            JOIN buyer_entity e ON e.buyer_id = b.id_b
            WHERE s.kind_a = 'seller' AND b.kind_b = 'buyer')
        SELECT entity_id, seller_id, round(max(strength), 9) AS strength
        FROM (FROM direct UNION ALL FROM through_owner UNION ALL FROM through_agent) GROUP BY ALL
    """)


def _features(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TABLE tied_sales AS
        SELECT t.entity_id, t.seller_id, t.strength, s.orders
        FROM seller_ties t JOIN entity_sellers s USING (entity_id, seller_id);
        CREATE OR REPLACE TABLE gang_pairs AS
        WITH sent AS (
            SELECT t.seller_id AS home, s.seller_id AS target, s.entity_id, s.orders
            FROM seller_ties t JOIN entity_sellers s USING (entity_id)
            WHERE t.strength >= 0.4 AND s.seller_id <> t.seller_id),
        flow AS (SELECT home, target, sum(orders) AS orders FROM sent GROUP BY ALL)
        SELECT s.entity_id, s.target AS seller_id, sum(f.orders) AS orders
        FROM sent s JOIN flow f USING (home, target)
        JOIN flow back ON back.home = s.target AND back.target = s.home GROUP BY ALL;
        CREATE OR REPLACE TABLE f_related AS
        WITH seller_sum AS (
            SELECT seller_id, sum(orders) AS orders FROM tied_sales WHERE strength >= 0.4 GROUP BY ALL),
        any_seller AS (
            SELECT count(*) > 0 AS known FROM identifier_links JOIN accounts USING (account)
            WHERE NOT is_buyer AND account_kind = 'seller')
        SELECT o.o,
               CASE WHEN known THEN coalesce(t.strength, 0) END::DOUBLE AS seller_link_strength,
               CASE WHEN known THEN coalesce(m.orders, 0) END::DOUBLE AS seller_linked_orders,
               CASE WHEN known THEN coalesce(t.orders, 0) END::DOUBLE AS pair_linked_orders,
               CASE WHEN known THEN coalesce(g.orders, 0) END::DOUBLE AS gang_orders,
               CASE WHEN known THEN coalesce(a.strength, 0) END::DOUBLE AS buyer_is_sellers
        FROM orders o JOIN buyer_entity e USING (buyer_id) CROSS JOIN any_seller
        LEFT JOIN tied_sales t ON t.entity_id = e.entity_id AND t.seller_id = o.seller_id
        LEFT JOIN seller_sum m ON m.seller_id = o.seller_id
        LEFT JOIN gang_pairs g ON g.entity_id = e.entity_id AND g.seller_id = o.seller_id
        LEFT JOIN (SELECT entity_id, max(strength) AS strength FROM seller_ties GROUP BY ALL) a
            ON a.entity_id = e.entity_id AND t.entity_id IS NULL;
        DROP TABLE tied_sales
    """)
