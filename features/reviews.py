"""Reviews without reference value, copied, off the topic or written before the parcel came (clause 2.1.e)."""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.declare import Entity, Feature
from features.excess import add_surprise
from features.review_groups import add_coreviewers, add_review_clusters
from features.review_texts import describe_texts
from features.review_times import add_review_bursts, add_review_lags

__all__ = ["FEATURES", "compute"]

_NO_REVIEW = "The order has no rated review."
_NO_TEXT = "The order has no review with letters in it."


def _feature(
    name: str, meaning: str, null_means: str, needs: tuple[str, ...], entity: Entity = "order"
) -> Feature:
    needs = ("reviews.order_id", *(f"reviews.{column}" for column in needs))
    return Feature(name, meaning, null_means, needs, "snapshot", entity, clause="reviews", source="2.1.e")


FEATURES: tuple[Feature, ...] = (
    _feature("review_rating", "Highest rating of the order's reviews, 1 to 5.", _NO_REVIEW, ("rating",)),
    _feature(
        "review_telling_letters",
        "Letters of the review that neither half the market nor the product's title says; an ideograph "
        "counts 2.5. Copies of a short text are no evidence.",
        _NO_TEXT,
        ("text",),
    ),
    _feature(
        "review_copies",
        "Other accounts that wrote the same or nearly the same review: of all groups of similar texts, the "
        "one that shares most.",
        _NO_TEXT,
        ("text",),
    ),
    _feature(
        "review_copies_same_seller",
        "Of these, the accounts that wrote it for the same seller.",
        _NO_TEXT,
        ("text",),
    ),
    _feature(
        "review_core_letters",
        "Uncommon letters that at least half of this group (three accounts or more) share word for word; an "
        "ideograph counts 2.5; 0 without such a group.",
        _NO_TEXT,
        ("text",),
    ),
    _feature(
        "review_copied_share",
        "Share of the area's reviews that stand in a group of as many accounts that shares as many letters; "
        "small means that such copying is not this market's habit.",
        _NO_TEXT,
        ("text",),
    ),
    _feature(
        "review_copy_surprise",
        "Powers of ten against so many independent copies at one seller, given how common the text is at "
        "others and how short it is.",
        _NO_TEXT,
        ("text", "seller_id"),
    ),
    _feature(
        "seller_copied_reviews_surprise",
        "How far the seller's share of copied reviews (this one left out) is above the market's for texts "
        "of their length, in powers of ten.",
        "The review has no letters, or the seller no other review with letters.",
        ("text", "seller_id"),
        "seller",
    ),
    _feature(
        "review_topic_mismatch_bits",
        "Evidence in bits that the review speaks of another product category than its own; negative where "
        "it speaks of its own.",
        "The text names no category clearly, is too short, or the market has too few texts to learn from.",
        ("text", "product_id"),
    ),
    _feature(
        "review_no_value",
        "1 when a five-star review has no text or less than four letters, 0 otherwise.",
        "The order has no rated review, or the market writes no review texts.",
        ("rating", "text"),
    ),
    _feature(
        "seller_no_value_surprise",
        "How far the seller's share of empty five-star reviews (this one left out) is above the market's.",
        "The order has no rated review, or the seller no other one.",
        ("rating", "text", "seller_id"),
        "seller",
    ),
    _feature(
        "review_hours_after_delivery",
        "Hours from the earliest known delivery to the review; negative when it was written before.",
        "No review, no delivery time, or a replacement or exchange.",
        ("created_at",),
    ),
    _feature(
        "review_hours_after_shipment",
        "Hours from the earliest known dispatch to the review (for an order that waits for dispatch: from "
        "the end of the data); negative when there was nothing on its way yet.",
        "No review, dispatch not known, or a replacement or exchange.",
        ("created_at",),
    ),
    _feature(
        "review_early_norm",
        "Share of the area's reviews with three stars or less, which nobody pays for, that came as early.",
        "No review, or no delivery time.",
        ("created_at", "rating"),
    ),
    _feature(
        "seller_rushed_reviews_surprise",
        "How far the seller's share of praise before or within an hour of delivery (this review left out) "
        "is above the market's.",
        "No review, no delivery time, or the seller has no other such review.",
        ("created_at", "rating", "seller_id"),
        "seller",
    ),
    _feature(
        "review_burst_surprise",
        "How far the seller's five-star reviews of that day are above what its deliveries of the month "
        "before lead one to expect.",
        "No five-star review, or no delivery times.",
        ("created_at", "rating", "seller_id"),
        "seller",
    ),
    _feature(
        "review_rating_residual",
        "Rating minus the mean of other accounts' reviews of the product that are no copies of this one.",
        "No review, or the product has fewer than three others.",
        ("rating", "product_id"),
    ),
    _feature(
        "review_coreviewers",
        "Entities that praised this product in the same week, and two more products together with this one.",
        _NO_REVIEW,
        ("rating", "product_id", "created_at"),
        "buyer",
    ),
    _feature(
        "review_coreviewer_surprise",
        "Powers of ten against the strongest of these pairs, given both activity and popularity.",
        _NO_REVIEW,
        ("rating", "product_id", "created_at"),
        "buyer",
    ),
    _feature(
        "reviewer_five_star_surprise",
        "How far the buyer's other reviews are all five stars beyond the market's habit.",
        "No review, or the buyer has no other one.",
        ("rating", "buyer_id"),
        "buyer",
    ),
    _feature(
        "reviewer_same_day_sellers",
        "Other sellers that the buyer gave five stars on the same day (UTC).",
        "No five-star review.",
        ("rating", "buyer_id", "created_at"),
        "buyer",
    ),
    _feature(
        "seller_five_star_rate_surprise",
        "How far the share of the seller's delivered orders that brought a five-star review is above the "
        "market's of the same week (this order left out).",
        "No reviews at all, or the order was not delivered two weeks before the end of the data.",
        ("rating",),
        "seller",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_reviews`` (o and the columns of ``FEATURES``) and ``order_review_cluster`` (o, cluster_id)."""
    _add_rows(con)
    describe_texts(con)
    add_review_clusters(con)
    add_coreviewers(con)
    add_review_lags(con, as_of)
    add_review_bursts(con)
    _add_comparisons(con, as_of)
    _collect(con)
    con.execute("".join(f"DROP TABLE {name};" for name in _TEMPORARY))


_TEMPORARY = (
    "review_row",
    "review_title",
    "review_text",
    "review_copy",
    "review_together",
    "review_lag",
    "review_burst",
    "review_rating_gap",
    "review_same_day",
    "seller_copied",
    "seller_no_value",
    "seller_rushed",
    "seller_five_star",
    "reviewer_five_star",
)


def _add_rows(con: duckdb.DuckDBPyConnection) -> None:
    """``review_row``: every review with its order, product, category and currency area as integers.

    A review without an order id belongs to the buyer's last order at the seller before it.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_row AS
        WITH guessed AS (
            SELECT review_id, max(past.o) AS o FROM reviews r JOIN orders past USING (buyer_id, seller_id)
            WHERE r.order_id IS NULL AND past.created_at <= r.created_at GROUP BY review_id),
        found AS (
            SELECT r.*, o.o AS found FROM reviews r LEFT JOIN orders o USING (order_id) WHERE r.order_id IS NOT NULL
            UNION ALL
            SELECT r.*, g.o AS found FROM reviews r LEFT JOIN guessed g USING (review_id) WHERE r.order_id IS NULL),
        lacking AS (
            SELECT order_id, min_by(product_id, line_no) AS product_id FROM order_items
            WHERE order_id IN (SELECT order_id FROM found WHERE product_id IS NULL) GROUP BY order_id),
        filled AS (
            SELECT review_id, o.o, o.order_id, o.currency, r.created_at, r.rating, r.text,
                coalesce(r.buyer_id, o.buyer_id) AS buyer_id, coalesce(r.seller_id, o.seller_id) AS seller_id,
                coalesce(r.product_id, l.product_id) AS product_id
            FROM found r LEFT JOIN orders o ON o.o = r.found LEFT JOIN lacking l ON l.order_id = o.order_id),
        area AS (SELECT currency, row_number() OVER (ORDER BY currency) - 1 AS area
            FROM (SELECT DISTINCT currency FROM orders)),
        category AS (SELECT category, row_number() OVER (ORDER BY category) - 1 AS number
            FROM (SELECT DISTINCT category FROM products WHERE category IS NOT NULL))
        SELECT row_number() OVER (ORDER BY f.created_at, review_id) - 1 AS r, o, order_id, f.created_at, rating, text,
            buyer_id, entity_id, f.seller_id, area,
            CASE WHEN product_id IS NOT NULL THEN (hash(product_id) >> 1)::BIGINT END AS product, number AS category, title
        FROM filled f LEFT JOIN area USING (currency)
        LEFT JOIN products USING (product_id) LEFT JOIN category USING (category)
        LEFT JOIN buyer_entity USING (buyer_id)
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_title AS
        SELECT DISTINCT product, area, category, title FROM review_row
        WHERE product IS NOT NULL AND title IS NOT NULL
    """)


def _add_comparisons(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Each seller, and each reviewer, beside the market."""
    _compare(
        con,
        "seller_copied",
        "SELECT r AS o, seller_id AS key, hash(tongue, bucket) AS cell, core >= 24 AND share <= 0.05 AS hit "
        "FROM review_copy c JOIN review_row USING (r)",
    )
    _compare(
        con,
        "seller_no_value",
        "SELECT r AS o, seller_id AS key, hash(area, category) AS cell, rating = 5 AND text_letters < 4 AS hit "
        "FROM review_row JOIN review_text USING (r) WHERE (SELECT max(text_letters) FROM review_text) > 0",
    )
    _compare(
        con,
        "seller_rushed",
        "SELECT r AS o, seller_id AS key, area AS cell, rating >= 4 AND after_delivery < 1 AS hit "
        "FROM review_row JOIN review_lag USING (r) WHERE after_delivery IS NOT NULL",
    )
    _compare(
        con,
        "reviewer_five_star",
        "SELECT r AS o, buyer_id AS key, area AS cell, rating = 5 AS hit FROM review_row",
    )
    con.execute("SET VARIABLE review_as_of = ?::TIMESTAMP", [as_of])
    _compare(
        con,
        "seller_five_star",
        "SELECT o, seller_id AS key, hash(currency, date_trunc('week', coalesce(delivered_at, completed_at))) AS cell, "
        "o IN (SELECT o FROM review_row WHERE rating = 5) AS hit FROM orders "
        "WHERE coalesce(delivered_at, completed_at) < getvariable('review_as_of') - INTERVAL 14 DAY "
        "AND EXISTS (SELECT 1 FROM reviews WHERE rating IS NOT NULL)",
    )
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_same_day AS
        SELECT r, sellers - 1 AS others FROM review_row JOIN (
            SELECT buyer_id, created_at::DATE AS day, count(DISTINCT seller_id) AS sellers FROM review_row
            WHERE rating = 5 GROUP BY ALL) d ON d.buyer_id = review_row.buyer_id AND d.day = created_at::DATE
        WHERE rating = 5
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_rating_gap AS
        WITH base AS (
            SELECT r, product, area, rating, coalesce(group_id, -1 - r) AS copy_of
            FROM review_row LEFT JOIN review_copy USING (r) WHERE rating IS NOT NULL AND product IS NOT NULL),
        product AS (SELECT product, count(*) AS n, sum(rating) AS s FROM base GROUP BY product),
        copy AS (SELECT product, copy_of, count(*) AS n, sum(rating) AS s FROM base GROUP BY ALL),
        market AS (SELECT area, avg(rating) AS mean FROM base GROUP BY area)
        SELECT r, rating - (p.s - c.s + 3 * mean) / (p.n - c.n + 3) AS gap
        FROM base JOIN product p USING (product) JOIN copy c USING (product, copy_of) JOIN market USING (area)
        WHERE p.n - c.n >= 3
    """)


def _compare(con: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    con.execute(f"CREATE OR REPLACE TEMP TABLE excess_source AS {query}")
    add_surprise(con, "excess_source", name)
    con.execute("DROP TABLE excess_source")


def _collect(con: duckdb.DuckDBPyConnection) -> None:
    """One row per order with a review or a seller to compare: the most telling of its reviews."""
    con.execute("""
        CREATE OR REPLACE TABLE f_reviews AS
        WITH by_order AS (
            SELECT w.o,
                max(rating) AS review_rating,
                max(telling_letters) FILTER (c.r IS NOT NULL) AS review_telling_letters,
                max(copies) AS review_copies,
                max(copies_same_seller) AS review_copies_same_seller,
                max(core) AS review_core_letters,
                min(share) AS review_copied_share,
                max(seller_surprise) AS review_copy_surprise,
                max(sc.value) AS seller_copied_reviews_surprise,
                max(topic_bits) AS review_topic_mismatch_bits,
                max(CASE WHEN (SELECT max(text_letters) FROM review_text) > 0
                    THEN (rating = 5 AND text_letters < 4)::INTEGER END) AS review_no_value,
                max(nv.value) AS seller_no_value_surprise,
                min(after_delivery) AS review_hours_after_delivery,
                min(after_shipment) AS review_hours_after_shipment,
                min(early_norm) AS review_early_norm,
                max(ru.value) AS seller_rushed_reviews_surprise,
                max(burst) AS review_burst_surprise,
                max(gap) AS review_rating_residual,
                max(CASE WHEN rating IS NOT NULL THEN coalesce(partners, 0) END) AS review_coreviewers,
                max(CASE WHEN rating IS NOT NULL THEN coalesce(t.surprise, 0) END) AS review_coreviewer_surprise,
                max(fs.value) AS reviewer_five_star_surprise,
                max(sd.others) AS reviewer_same_day_sellers
            FROM review_row w JOIN review_text USING (r) LEFT JOIN review_copy c USING (r)
            LEFT JOIN review_lag USING (r) LEFT JOIN review_burst USING (r) LEFT JOIN review_rating_gap USING (r)
            LEFT JOIN review_together t USING (r) LEFT JOIN review_same_day sd USING (r)
            LEFT JOIN seller_copied sc ON sc.o = r LEFT JOIN seller_no_value nv ON nv.o = r
            LEFT JOIN seller_rushed ru ON ru.o = r LEFT JOIN reviewer_five_star fs ON fs.o = r
            WHERE w.o IS NOT NULL GROUP BY w.o),
        joined AS (
            SELECT o, b.* EXCLUDE (o), s.value AS seller_five_star_rate_surprise
            FROM by_order b FULL JOIN seller_five_star s USING (o))
        SELECT o, COLUMNS(* EXCLUDE (o))::DOUBLE FROM joined
    """)
