"""Reviews that are copies of each other, and accounts that review the same things together."""

from __future__ import annotations

import duckdb

from features.review_texts import LEVELS

__all__ = ["MAX_BITS", "add_coreviewers", "add_review_clusters"]

MIN_ACCOUNTS = 3
"""Copies count as a group from three accounts on: two may be one household."""
MAX_BITS = 30.0
_GROUP_CORE = 16
_GROUP_SHARE = 0.02
"""A group links reviews when it shares this many letters and holds at most this share of all reviews."""
_UNSEEN_WEIGHT, _UNSEEN_RATE = 50, 0.1
"""Before other sellers' reviews in the tongue are seen, one in ten is taken to read alike; that
counts as much as fifty reviews, so that a shop which alone serves a language is not held to be copying."""
_MAX_TOGETHER = 60
"""A product that more accounts review in one week is popular; sharing it says nothing."""


def add_review_clusters(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``review_copy``, one row per review with letters, and ``order_review_cluster`` (o, cluster_id).

    The latter has one row per order whose review is worded as those of at least two other accounts.

    ``review_copy``: ``r``; ``group_id``, ``copies`` and ``copies_same_seller`` (other accounts), ``core``
    (letters in common) of the level at which the group of three or more accounts is most (letters times
    the logarithm of accounts); ``seller_surprise`` (powers of ten against so many independent copies at
    this seller, the highest of all levels); ``share`` (of the area's reviews with letters, how many
    stand in a group that shares as much among as many); ``bucket`` (length class).
    """
    for level in LEVELS:
        _add_copies(con, level)
    tops = ", ".join(
        f"""struct_pack(weight := c{n}.letters * log2(1 + c{n}.copies), copies := c{n}.copies, level := {n},
            c := c{n}.c, same := c{n}.copies_same_seller, letters := c{n}.letters)"""
        for n in range(len(LEVELS))
    )
    joins = " ".join(f"JOIN copy_{level} c{n} USING (r)" for n, level in enumerate(LEVELS) if n)
    surprises = ", ".join(f"c{n}.seller_surprise" for n in range(len(LEVELS)))
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE review_copy AS
        WITH best AS (
            SELECT r, c0.tongue, c0.bucket, greatest({surprises}) AS seller_surprise, greatest({tops}) AS top
            FROM copy_exact c0 {joins}),
        celled AS (
            SELECT *, (top.letters // 8)::INTEGER AS x, floor(log2(1 + top.copies))::INTEGER AS y FROM best),
        cell AS (SELECT tongue, x, y, count(*) AS n FROM celled GROUP BY ALL),
        shares AS (
            SELECT a.tongue, a.x, a.y, sum(b.n) FILTER (b.x >= a.x AND b.y >= a.y) / sum(b.n) AS share
            FROM cell a JOIN cell b USING (tongue) GROUP BY ALL)
        SELECT r, tongue, bucket, seller_surprise, top.level * 1000000000::BIGINT + top.c AS group_id, top.copies AS copies,
            top.same AS copies_same_seller, top.letters AS core, share
        FROM celled JOIN shares USING (tongue, x, y)
    """)
    con.execute("".join(f"DROP TABLE copy_{level};" for level in LEVELS))
    con.execute(f"""
        CREATE OR REPLACE TABLE order_review_cluster AS
        WITH grouped AS (
            SELECT o, group_id, core * log2(1 + copies) AS weight FROM review_copy JOIN review_row USING (r)
            WHERE o IS NOT NULL AND copies >= {MIN_ACCOUNTS - 1} AND core >= {_GROUP_CORE}
                AND copies <= 10 + {_GROUP_SHARE} * (SELECT count(*) FROM review_copy))
        SELECT o, dense_rank() OVER (ORDER BY group_id) - 1 AS cluster_id FROM grouped
        QUALIFY row_number() OVER (PARTITION BY o ORDER BY weight DESC, group_id) = 1
    """)


def _add_copies(con: duckdb.DuckDBPyConnection, level: str) -> None:
    """Create ``copy_{level}``: per review the copies of its text and how surprising those at its seller are.

    Chance of the text: its copies at other sellers in the same tongue, plus what texts of its
    length share by coincidence in this market (never more than for a shorter class), plus a floor by
    length; within the category where the category knows better. Copies of one text come in bursts, so
    counts are geometric: ``P(K >= k) = (e / (1 + e))^k``.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE copy_member AS
        SELECT r, {level}_id AS c, {level}_core AS core, coalesce(hash(buyer_id), r::UBIGINT) AS account,
            coalesce(hash(seller_id), 0) AS seller, tongue, coalesce(category, -1) AS category,
            telling_letters, floor(2 * log2(greatest(telling_letters, 1)))::INTEGER AS bucket
        FROM review_row JOIN review_text USING (r) WHERE {level}_id >= 0
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE copy_count AS
        WITH repeated AS (SELECT c FROM copy_member GROUP BY c HAVING min(account) <> max(account)),
        written AS (
            SELECT DISTINCT c, tongue, category, seller, account FROM copy_member SEMI JOIN repeated USING (c)),
        everywhere AS (SELECT c, count(DISTINCT account) AS n FROM written GROUP BY c),
        by_seller AS (SELECT c, tongue, seller, count(DISTINCT account) AS n FROM written GROUP BY ALL),
        by_tongue AS (SELECT c, tongue, sum(n)::BIGINT AS n FROM by_seller GROUP BY ALL),
        by_both AS (SELECT c, tongue, category, seller, count(*) AS n FROM written GROUP BY ALL),
        by_category AS (SELECT c, tongue, category, sum(n)::BIGINT AS n FROM by_both GROUP BY ALL)
        SELECT c, tongue, category, seller, w.n - 1 AS copies, s.n - 1 AS copies_same_seller, a.n - s.n AS
            elsewhere, g.n - b.n AS in_category
        FROM by_both b JOIN by_category g USING (c, tongue, category) JOIN by_seller s USING (c, tongue, seller)
        JOIN by_tongue a USING (c, tongue) JOIN everywhere w USING (c)
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE copy_{level} AS
        WITH member AS (
            SELECT m.*, coalesce(n.copies, 0) AS copies, coalesce(n.copies_same_seller, 0) AS copies_same_seller,
                coalesce(n.elsewhere, 0) AS elsewhere, coalesce(n.in_category, 0) AS in_category
            FROM copy_member m LEFT JOIN copy_count n USING (c, tongue, category, seller)),
        collided AS (SELECT tongue, bucket, sum(elsewhere) / count(*) AS mean FROM member GROUP BY ALL),
        coincidence AS (
            SELECT tongue, bucket, min(mean) OVER (PARTITION BY tongue ORDER BY bucket) AS mean FROM collided),
        sizes AS (SELECT tongue, category, seller, count(*) AS n FROM copy_member GROUP BY ALL),
        size AS (
            SELECT tongue, category, seller, sum(n) OVER (PARTITION BY tongue, seller) AS n_seller,
                sum(n) OVER (PARTITION BY tongue) - n_seller AS n_else,
                sum(n) OVER (PARTITION BY tongue, category) - n AS n_category FROM sizes),
        rated AS (
            SELECT m.*, n_seller, n_category, (elsewhere + mean + greatest(0.02, 20 * pow(2, -telling_letters / 4))
                + {_UNSEEN_WEIGHT} * {_UNSEEN_RATE}) / (n_else + {_UNSEEN_WEIGHT}) AS rate
            FROM member m JOIN coincidence USING (tongue, bucket) JOIN size USING (tongue, category, seller)),
        expected AS (
            SELECT *, n_seller * greatest(rate, (in_category + 200 * rate) / (n_category + 200)) AS e FROM rated)
        SELECT r, c, CASE WHEN copies >= {MIN_ACCOUNTS - 1} THEN core ELSE 0 END AS letters, bucket, tongue, copies,
            copies_same_seller,
            least({MAX_BITS}, copies_same_seller * log10((1 + e) / e)) AS seller_surprise
        FROM expected
    """)
    con.execute("DROP TABLE copy_member; DROP TABLE copy_count")


def add_coreviewers(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``review_together``: per praising review, the accounts that praise along with it.

    Columns: ``r``; ``partners`` (entities that praised this product in the same week and at least two
    other products in the same weeks too); ``surprise`` (powers of ten against the strongest such pair,
    given how much both review and how popular the products are).
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE praise AS
        WITH one AS (
            SELECT dense_rank() OVER (ORDER BY entity_id)::INTEGER AS e, product AS p,
                (epoch_us(created_at) // 604800000000)::INTEGER AS week, min(r) AS r
            FROM review_row WHERE rating >= 4 AND entity_id IS NOT NULL AND product IS NOT NULL
                AND created_at IS NOT NULL GROUP BY entity_id, p, week)
        SELECT *, count(*) OVER (PARTITION BY p, week) AS together FROM one
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE praise_pair AS
        WITH shared AS (SELECT * FROM praise WHERE together BETWEEN 2 AND {_MAX_TOGETHER})
        SELECT a.e AS e, b.e AS f, a.r AS r, a.p AS p FROM shared a JOIN shared b USING (p, week) WHERE a.e <> b.e
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE review_together AS
        WITH active AS (
            SELECT e, count(*) AS n, sum(together - 1) AS reach FROM praise GROUP BY e),
        total AS (SELECT greatest(count(*), 1) AS n FROM praise),
        pair AS (
            SELECT e, f, count(DISTINCT p) AS m FROM praise_pair GROUP BY e, f HAVING count(DISTINCT p) >= 3),
        judged AS (
            SELECT e, f, m, greatest((u.n * v.reach + v.n * u.reach) / 2 / total.n, 1e-6) AS chance
            FROM pair JOIN active u USING (e) JOIN active v ON v.e = f, total)
        SELECT r, count(DISTINCT f) AS partners, max(least({MAX_BITS}, (m - 1) * log10((1 + chance) / chance)))
            AS surprise
        FROM praise_pair JOIN judged USING (e, f) GROUP BY r
    """)
    con.execute("DROP TABLE praise; DROP TABLE praise_pair")
