"""The buyer–seller graph: who buys together more than popularity, activity and chance explain (2.1.d).

The nodes are entities (see ``identity``), not accounts: a household is one buyer. Density alone is loyalty,
so everything here is a surprise against a null with the same popularity of sellers and activity of buyers,
and every feature is soft evidence.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from features.declare import Feature
from features.dense_blocks import MAX_SELLERS, Block, dense_blocks
from features.identity import component_labels

MAX_MEETING = 40
"""A seller's day with more buying entities is a live stream or a sale, not a meeting."""

CANDIDATE = 3.0
"""Co-buying surprise (nats) from which a visit may belong to a dense block."""

_NEEDS = ("orders.created_at",)

FEATURES: tuple[Feature, ...] = (
    Feature(
        "cobuy_surprise",
        "How surprising (natural log-likelihood ratio, capped at 60) it is that other buyers of this seller "
        "share so many of this buyer's other sellers, given everyone's popularity and activity.",
        "The entity bought from one seller only, or from more than 40.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
    ),
    Feature(
        "cobuy_share",
        "Share of the entity's other sellers that are surprisingly often bought together with this one.",
        "As cobuy_surprise.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
    ),
    Feature(
        "cobuy_neighbours",
        "Mean cobuy_surprise (nats; unknown counts as 0) of the seller's other entities, shrunk as if three "
        "more with none were there.",
        "Never null.",
        (),
        kind="snapshot",
        entity="seller",
        clause="repeat_buying",
    ),
    Feature(
        "lockstep_partners",
        "Other entities that met this one at two or more sellers on the same days, this order's among them.",
        "Never null: 0 where nobody did.",
        _NEEDS,
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
        source="CopyCatch (Beutel et al. 2013)",
    ),
    Feature(
        "lockstep_surprise",
        "How surprising (natural log-likelihood ratio, capped at 60) so many lockstep_partners are, given how "
        "many others the entity met and how many shop in its country.",
        "Never null: 0 where nobody did.",
        _NEEDS,
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
    ),
    Feature(
        "block_surprise",
        "Surprise per member (natural log-likelihood ratio) of the dense block that holds both the entity "
        "and the seller.",
        "Never null: 0 outside every block.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
        source="FRAUDAR (Hooi et al. 2016), with a null matched for degrees",
    ),
    Feature(
        "block_closed_members",
        "Other buying entities of the dense block that, as this one, buy at no shop outside it.",
        "Never null: 0 outside every block, if this one buys elsewhere too, and of samples, replacements and exchanges.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
    ),
    Feature(
        "block_closed_share",
        "Share (0–1) of the other buying entities of the dense block that buy at no shop outside it.",
        "As block_closed_members.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="repeat_buying",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_graph``, ``blocks``, ``block_pairs``, ``lockstep_pairs`` and ``lockstep_rings``."""
    _seller_pairs(con)
    _lockstep(con)
    _blocks(con)
    _closed_members(con)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE seller_cobuy AS
        SELECT s.seller_id, exact_sum(coalesce(c.surprise, 0)) AS total, count(*) AS entities
        FROM entity_sellers s LEFT JOIN cobuy c USING (entity_id, seller_id) GROUP BY ALL;
        CREATE OR REPLACE TABLE f_graph AS
        SELECT o.o,
               CASE WHEN t.sellers BETWEEN 2 AND 40 THEN coalesce(c.surprise, 0) END::DOUBLE AS cobuy_surprise,
               CASE WHEN t.sellers BETWEEN 2 AND 40
                    THEN round(coalesce(c.together, 0) / (t.sellers - 1), 9) END::DOUBLE AS cobuy_share,
               round((n.total - coalesce(c.surprise, 0)) / (n.entities + 2), 9)::DOUBLE AS cobuy_neighbours,
               coalesce(l.partners, 0)::DOUBLE AS lockstep_partners,
               round(least(60, coalesce(l.surprise, 0)), 9)::DOUBLE AS lockstep_surprise,
               coalesce(b.surprise, 0)::DOUBLE AS block_surprise,
               CASE WHEN bought THEN coalesce(m.others, 0) ELSE 0 END::DOUBLE AS block_closed_members,
               CASE WHEN bought THEN coalesce(m.share, 0) ELSE 0 END AS block_closed_share
        FROM orders o JOIN buyer_entity e USING (buyer_id)
        JOIN (SELECT entity_id, count(*) AS sellers FROM entity_sellers GROUP BY ALL) t USING (entity_id)
        JOIN seller_cobuy n ON n.seller_id = o.seller_id
        LEFT JOIN cobuy c ON c.entity_id = e.entity_id AND c.seller_id = o.seller_id
        LEFT JOIN lockstep l ON l.entity_id = e.entity_id AND l.seller_id = o.seller_id
        LEFT JOIN block_pairs b ON b.entity_id = e.entity_id AND b.seller_id = o.seller_id
        LEFT JOIN closed_members m ON m.entity_id = b.entity_id AND m.block = b.block,
        LATERAL (SELECT NOT coalesce(is_sample OR is_replacement OR is_exchange, false) AS bought);
        DROP TABLE cobuy; DROP TABLE lockstep; DROP TABLE seller_pairs;
        DROP TABLE seller_cobuy; DROP TABLE closed_members
    """)


def _seller_pairs(con: duckdb.DuckDBPyConnection) -> None:
    """``cobuy(entity_id, seller_id, surprise, together)`` from pairs of sellers with common entities.

    The null keeps every seller's popularity and every entity's number of sellers within each country (buyers
    of one country share sellers because those deliver there), and is matched for category: pairs of
    categories that go together in the whole market are expected to.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE shopping AS
        SELECT entity_id, seller_id, min(country) OVER (PARTITION BY entity_id) AS country FROM entity_sellers
        QUALIFY count(*) OVER (PARTITION BY entity_id) BETWEEN 2 AND {MAX_SELLERS};
        CREATE OR REPLACE TEMP TABLE seller_category AS
        SELECT seller_id, coalesce(min_by(category, (-n, category)), '') AS category FROM (
            SELECT seller_id, category, count(*) AS n FROM products GROUP BY ALL) GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE seller_visits AS
        SELECT seller_id, country, any_value(coalesce(category, '')) AS category, count(*)::DOUBLE AS visits
        FROM shopping LEFT JOIN seller_category USING (seller_id) GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE seller_pairs AS
        WITH together AS (
            SELECT a.seller_id AS seller_a, b.seller_id AS seller_b, count(*) AS common
            FROM shopping a JOIN shopping b ON a.entity_id = b.entity_id AND a.seller_id < b.seller_id
            GROUP BY ALL),
        person AS (SELECT country, count(*) AS sellers FROM shopping GROUP BY entity_id, country),
        density AS (
            SELECT country, sum(sellers * (sellers - 1)) / sum(sellers) ** 2 AS density FROM person GROUP BY ALL),
        category AS (SELECT category, country, sum(visits) AS visits FROM seller_visits GROUP BY ALL),
        usual AS (
            SELECT x.category AS category_a, y.category AS category_b, exact_sum(density * x.visits * y.visits
                   / CASE WHEN x.category = y.category THEN 2 ELSE 1 END) AS pairs
            FROM category x JOIN category y ON x.country = y.country AND x.category <= y.category
            JOIN density ON density.country = x.country GROUP BY ALL),
        of_seller AS (SELECT seller_id, any_value(category) AS category FROM seller_visits GROUP BY ALL),
        named AS (
            SELECT t.*, least(x.category, y.category) AS category_a, greatest(x.category, y.category) AS category_b
            FROM together t JOIN of_seller x ON x.seller_id = seller_a JOIN of_seller y ON y.seller_id = seller_b),
        lift AS (
            SELECT category_a, category_b, greatest(1, (sum(common) + 20) / (20 + any_value(pairs))) AS lift
            FROM named JOIN usual USING (category_a, category_b) GROUP BY ALL)
        SELECT seller_a, seller_b, any_value(common) AS common,
               any_value(lift) * exact_sum(density * x.visits * y.visits) AS expected
        FROM named JOIN lift USING (category_a, category_b)
        JOIN seller_visits x ON x.seller_id = seller_a
        JOIN seller_visits y ON y.seller_id = seller_b AND y.country = x.country
        JOIN density ON density.country = x.country
        WHERE common >= 3 GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE cobuy AS
        WITH surprising AS (
            SELECT *, round(least(60, (common - 1) * ln((common - 1) / expected) - (common - 1 - expected)), 9)
                AS surprise
            FROM seller_pairs WHERE common - 1 > expected),
        both_ways AS (
            SELECT seller_a AS seller_id, seller_b AS other, surprise FROM surprising
            UNION ALL SELECT seller_b, seller_a, surprise FROM surprising)
        SELECT s.entity_id, s.seller_id, max(p.surprise) AS surprise,
               count(*) FILTER (p.surprise >= 5) AS together
        FROM shopping s JOIN both_ways p ON p.seller_id = s.seller_id
        JOIN shopping t ON t.entity_id = s.entity_id AND t.seller_id = p.other
        GROUP BY ALL;
        DROP TABLE seller_category; DROP TABLE seller_visits
    """)


def _lockstep(con: duckdb.DuckDBPyConnection) -> None:
    """Entities that were at the same seller on the same day, at two sellers or more.

    By chance, an entity met at one seller is one of the many met at the others as often as any of the
    country's shoppers, and twice as often for being an active one.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE meetings AS
        SELECT *, count(*) OVER (PARTITION BY seller_id, day) AS present FROM (
            SELECT DISTINCT entity_id, seller_id, created_at::DATE AS day
            FROM orders JOIN buyer_entity USING (buyer_id)
            WHERE entity_id IN (SELECT entity_id FROM shopping))
        QUALIFY present BETWEEN 2 AND {MAX_MEETING};
        CREATE OR REPLACE TEMP TABLE met AS
        SELECT DISTINCT a.entity_id AS entity_a, b.entity_id AS entity_b, a.seller_id
        FROM meetings a JOIN meetings b USING (seller_id, day) WHERE a.entity_id < b.entity_id;
        CREATE OR REPLACE TABLE lockstep_pairs AS
        SELECT entity_a, entity_b, count(*) AS sellers FROM met GROUP BY ALL HAVING count(*) >= 2;
        CREATE OR REPLACE TEMP TABLE lockstep AS
        WITH both_ways AS (
            SELECT m.entity_a AS entity_id, m.entity_b AS partner, m.seller_id FROM met m SEMI JOIN
                lockstep_pairs p ON p.entity_a = m.entity_a AND p.entity_b = m.entity_b
            UNION ALL SELECT m.entity_b, m.entity_a, m.seller_id FROM met m SEMI JOIN
                lockstep_pairs p ON p.entity_a = m.entity_a AND p.entity_b = m.entity_b),
        counted AS (
            SELECT entity_id, seller_id, count(DISTINCT partner) AS partners FROM both_ways GROUP BY ALL),
        person AS (SELECT DISTINCT entity_id, country FROM shopping),
        shoppers AS (SELECT country, count(*) AS shoppers FROM person GROUP BY ALL),
        crowd AS (
            SELECT entity_id, seller_id, sum(present - 1) AS here,
                   sum(sum(present - 1)) OVER (PARTITION BY entity_id) AS anywhere
            FROM meetings SEMI JOIN counted USING (entity_id) GROUP BY entity_id, seller_id)
        SELECT entity_id, seller_id, partners, CASE WHEN partners > expected
               THEN partners * ln(partners / expected) - (partners - expected) ELSE 0 END AS surprise
        FROM counted JOIN crowd USING (entity_id, seller_id) JOIN person USING (entity_id)
        JOIN shoppers USING (country), LATERAL (SELECT 2.0 * here * (anywhere - here) / shoppers AS expected);
        DROP TABLE meetings; DROP TABLE met; DROP TABLE shopping
    """)
    _lockstep_rings(con)


def _lockstep_rings(con: duckdb.DuckDBPyConnection) -> None:
    """``lockstep_rings(entity_id, seller_id, component)``: connected groups of lockstep pairs."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE lockstep_nodes AS
        SELECT entity_id, (row_number() OVER (ORDER BY entity_id) - 1)::INTEGER AS node
        FROM (SELECT entity_a AS entity_id FROM lockstep_pairs UNION SELECT entity_b FROM lockstep_pairs)
    """)
    pairs = con.execute("""
        SELECT a.node AS a, b.node AS b, (row_number() OVER (ORDER BY a.node, b.node) - 1) AS pair
        FROM lockstep_pairs p JOIN lockstep_nodes a ON a.entity_id = entity_a
        JOIN lockstep_nodes b ON b.entity_id = entity_b
    """).fetchnumpy()
    count = con.execute("SELECT count(*) FROM lockstep_nodes").fetchall()[0][0]
    both = np.concatenate([pairs["a"], pairs["b"]])
    labels = component_labels(count, both, np.concatenate([pairs["pair"], pairs["pair"]]))
    con.register("lockstep_labels", pa.table({"node": np.arange(count, dtype=np.int32), "label": labels}))
    con.execute("""
        CREATE OR REPLACE TABLE lockstep_rings AS
        SELECT l.entity_id, l.seller_id, min(n.entity_id) OVER (PARTITION BY label) AS component
        FROM lockstep l JOIN lockstep_nodes n USING (entity_id) JOIN lockstep_labels USING (node)
    """)
    con.unregister("lockstep_labels")
    con.execute("DROP TABLE lockstep_nodes")


def _blocks(con: duckdb.DuckDBPyConnection) -> None:
    """``blocks(block, surprise, side, node_id)`` and ``block_pairs(entity_id, seller_id, block, surprise)``.

    Looked for within each country, among the visits to sellers that are surprisingly often used together:
    what is dense because a country has few shops is no block, and what is left is small.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE edges AS
        SELECT entity_id, seller_id, min(e.country) OVER (PARTITION BY entity_id) AS country,
               dense_rank() OVER (ORDER BY entity_id) - 1 AS b, dense_rank() OVER (ORDER BY seller_id) - 1 AS s,
               coalesce(surprise >= {CANDIDATE}, false) AS candidate
        FROM entity_sellers e LEFT JOIN cobuy USING (entity_id, seller_id)
    """)
    found = con.execute("""
        SELECT dense_rank() OVER (ORDER BY country) - 1 AS country, b, s, candidate FROM edges
        WHERE country IN (SELECT country FROM edges WHERE candidate) ORDER BY country, b, s
    """).fetchnumpy()
    country = np.asarray(found["country"])
    blocks = []
    for part in np.split(np.arange(len(country)), np.flatnonzero(np.diff(country)) + 1):
        b, s, candidate = (np.asarray(found[name])[part] for name in ("b", "s", "candidate"))
        blocks += dense_blocks(b, s, candidate)
    con.register("block_edges", _members(blocks))
    con.execute("""
        CREATE OR REPLACE TABLE blocks AS
        SELECT block, surprise, 'buyer' AS side, entity_id AS node_id FROM block_edges m
        JOIN (SELECT DISTINCT b, entity_id FROM edges) e ON m.side = 'buyer' AND m.node = e.b
        UNION ALL SELECT block, surprise, 'seller', seller_id FROM block_edges m
        JOIN (SELECT DISTINCT s, seller_id FROM edges) e ON m.side = 'seller' AND m.node = e.s;
        CREATE OR REPLACE TABLE block_pairs AS
        SELECT e.entity_id, e.seller_id, x.block, x.surprise FROM edges e
        JOIN blocks x ON x.side = 'buyer' AND x.node_id = e.entity_id
        JOIN blocks y ON y.side = 'seller' AND y.node_id = e.seller_id AND y.block = x.block
        QUALIFY row_number() OVER (PARTITION BY entity_id, seller_id ORDER BY x.surprise DESC, x.block) = 1;
        DROP TABLE edges
    """)
    con.unregister("block_edges")


def _closed_members(con: duckdb.DuckDBPyConnection) -> None:
    """``closed_members(block, entity_id, others, share)``: who buys at no shop outside its block."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE closed_members AS
        WITH member AS (SELECT block, entity_id, count(*) AS inside FROM block_pairs GROUP BY ALL),
        shops AS (
            SELECT entity_id, count(*) AS shops FROM entity_sellers SEMI JOIN member USING (entity_id) GROUP BY ALL),
        told AS (
            SELECT block, entity_id, inside = shops AS closed, count(*) FILTER (closed) OVER same - 1 AS others,
                   count(*) OVER same - 1 AS members
            FROM member JOIN shops USING (entity_id) WINDOW same AS (PARTITION BY block))
        SELECT block, entity_id, others, round(others / nullif(members, 0), 9)::DOUBLE AS share
        FROM told WHERE closed
    """)


def _members(blocks: list[Block]) -> pa.Table:
    block, side, node, surprise = [], [], [], []
    for number, found in enumerate(blocks):
        for name, nodes in (("buyer", found.buyers), ("seller", found.sellers)):
            block += [number] * len(nodes)
            side += [name] * len(nodes)
            node += nodes.tolist()
            surprise += [found.surprise] * len(nodes)
    return pa.table(
        {
            "block": pa.array(block, pa.int32()),
            "side": pa.array(side, pa.string()),
            "node": pa.array(node, pa.int64()),
            "surprise": pa.array(surprise, pa.float64()),
        }
    )
