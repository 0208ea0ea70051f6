"""Rings: groups of accounts and sellers behind suspected orders, of four kinds."""

from __future__ import annotations

import duckdb
import numpy as np
from numpy.typing import NDArray

__all__ = ["find_rings"]

_MEMBERS = """
    CREATE OR REPLACE TEMP TABLE ring_orders AS
    SELECT 'identity' AS kind, 1 AS priority, e.entity_id AS ring_key, o.o
    FROM orders o JOIN buyer_entity e USING (buyer_id) WHERE e.entity_size >= 3
    UNION ALL
    SELECT 'lockstep', 2, c.component, o.o FROM orders o JOIN buyer_entity e USING (buyer_id)
    JOIN lockstep_rings c ON c.entity_id = e.entity_id AND c.seller_id = o.seller_id
    UNION ALL
    SELECT 'dense_block', 3, b.block::VARCHAR, o.o FROM orders o JOIN buyer_entity e USING (buyer_id)
    JOIN blocks b ON b.side = 'buyer' AND b.node_id = e.entity_id
    JOIN blocks s ON s.side = 'seller' AND s.node_id = o.seller_id AND s.block = b.block
    UNION ALL
    SELECT 'consignment_point', 4, p.point_id::VARCHAR, o.o FROM orders o JOIN order_point p USING (o)
"""


def find_rings(
    con: duckdb.DuckDBPyConnection, score: NDArray[np.float64], suspected: NDArray[np.bool_]
) -> None:
    """Create ``rings`` (the contract's table) and ``order_ring(o, ring_id)``.

    A ring is an entity of three accounts or more, a lockstep group, a dense block or a consignment point
    with at least three suspected orders that are at least a third of its orders. It holds its suspected
    orders only: the honest customer of a warehouse that a ring uses is no member. An order belongs to the
    first of its rings in that order of kinds. Suspicion is the mean score of the ring's orders.

    Parameters
    ----------
    score, suspected
        Per order in order of ``o``: score 0–1, and whether the decision is other than allow.
    """
    con.register(
        "scored", {"o": np.arange(len(score), dtype=np.int32), "score": score, "suspected": suspected}
    )
    con.execute(_MEMBERS)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE ring_members AS
        WITH judged AS (
            SELECT kind, ring_key FROM ring_orders JOIN scored USING (o) GROUP BY ALL
            HAVING count(*) FILTER (suspected) >= 3
               AND count(*) FILTER (suspected) * 3 >= count(*)
               AND (kind <> 'consignment_point' OR count(*) FILTER (suspected) >= 10)),
        kept AS (SELECT r.*, s.score FROM ring_orders r JOIN judged USING (kind, ring_key)
                 JOIN scored s USING (o) WHERE s.suspected),
        first_ring AS (SELECT * FROM kept
                       QUALIFY row_number() OVER (PARTITION BY o ORDER BY priority, ring_key) = 1)
        SELECT kind, o, score, kind || '-' || left(md5(string_agg(o.order_id, ' ' ORDER BY o.order_id)
               OVER (PARTITION BY kind, ring_key)), 12) AS ring_id
        FROM first_ring JOIN orders o USING (o);
        CREATE OR REPLACE TABLE order_ring AS SELECT o, ring_id FROM ring_members;
        CREATE OR REPLACE TEMP TABLE rings AS
        SELECT ring_id, any_value(kind) AS kind,
               list_sort(list_distinct(list(seller_id))) AS seller_ids,
               list_sort(list_distinct(list(buyer_id))) AS buyer_ids,
               coalesce(list_sort(list_distinct(list(creator_id) FILTER (creator_id IS NOT NULL))),
                        []::VARCHAR[]) AS creator_ids,
               count(*) AS order_count, round(avg(score), 9) AS suspicion,
               min(created_at) AS first_order_at, max(created_at) AS last_order_at
        FROM ring_members JOIN orders o USING (o) GROUP BY ring_id
        HAVING count(*) >= 3 ORDER BY suspicion DESC, ring_id;
        DELETE FROM order_ring WHERE ring_id NOT IN (SELECT ring_id FROM rings);
        DROP TABLE ring_orders; DROP TABLE ring_members
    """)
    con.unregister("scored")
