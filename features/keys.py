"""How a single order finds what the last scan knew: the columns by which a snapshot value is looked up.

A snapshot feature needs other orders, so only a scan computes it. Online, an order is given the value of the
last order before it with the same key for which the scan knew one: what was known of the pair, the shop, the
creator then. The key is that of the feature's entity, unless the value depends on more (a buyer's focus is on
one seller) or only ever meant one order: such a value is known for the orders of that scan alone, and null for
a new one, on which the rules then abstain until the next scan.
"""

from __future__ import annotations

import duckdb

from features.declare import Entity, Feature

__all__ = ["DERIVED", "IDENTITY", "create_main_product", "lookup_key"]

_PAIR = ("buyer_id", "seller_id")
_ORDER = ("order_id",)

_OF_ENTITY: dict[Entity, tuple[str, ...]] = {
    "order": _ORDER,
    "buyer": ("buyer_id",),
    "seller": ("seller_id",),
    "pair": _PAIR,
    "creator": ("creator_id",),
    "device": ("device_id",),
    "address": ("ip_address",),
    "payment": ("payment_id",),
    "point": ("point_id",),
}

_OTHERWISE: dict[tuple[str, ...], tuple[str, ...]] = {
    _PAIR: (
        "entity_seller_accounts", "entity_seller_share", "entity_seller_homes", "entity_focus", "hub_focus",
        "cohort_focus", "cobuy_surprise", "cobuy_share", "lockstep_partners", "lockstep_surprise",
        "block_surprise", "block_closed_members", "block_closed_share",
    ),
    ("buyer_id", "product_id"): ("same_product_orders", "same_product_excess", "product_rebuyers_surprise"),
    ("product_id",): ("product_context",),
    ("point_id", "seller_id"): ("point_seller_share",),
    ("seller_id", "ip_address"): ("network_focus",),
    ("campaign_id", "product_id"): ("commission_total_bp", "commission_rarity"),
    ("creator_id", "device_id"): ("creator_device_accounts",),
    ("creator_id", "ip_address"): ("creator_ip_surprise",),
    ("creator_id", "buyer_id"): ("creator_buyer_link",),
    ("creator_id", "seller_id"): ("creator_seller_link", "creator_repeat_buyers_surprise"),
    ("creator_id", *_PAIR): ("affiliate_cycle_strength", "creator_seller_entity_orders"),
    # of one order: its day, its review's words, whether it was subsidised, its postcode's crowd
    _ORDER: (
        "day_context", "wording_context", "device_day_clicks", "postcode_focus", "review_burst_surprise",
        "reviewer_same_day_sellers", "review_coreviewers", "review_coreviewer_surprise",
        "seller_copied_reviews_surprise", "entity_claim_cancel_surprise", "seller_claim_cancel_surprise",
    ),
}  # fmt: skip
_KEY = {name: key for key, names in _OTHERWISE.items() for name in names}

DERIVED = ("product_id", "point_id")
"""Key columns that ``orders`` does not have: the order's first product, its parcel's consignment point."""

IDENTITY = ("device_id", "ip_address", "payment_id")
"""Key columns that hold a person's identifiers; a scan writes them nowhere."""


def lookup_key(feature: Feature) -> tuple[str, ...]:
    """Columns of an order (and ``DERIVED``) that find the value of a snapshot feature.

    >>> from features.catalog import CATALOG
    >>> lookup_key(CATALOG["seller_context"]), lookup_key(CATALOG["entity_focus"])
    (('seller_id',), ('buyer_id', 'seller_id'))
    """
    return _KEY.get(feature.name, _OF_ENTITY[feature.entity])


def create_main_product(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``main_product(o, product_id)``: each order's first product, by id; no row where none is known."""
    con.execute("""
        CREATE OR REPLACE TABLE main_product AS
        SELECT o, min(product_id) AS product_id FROM order_items JOIN orders USING (order_id)
        WHERE product_id IS NOT NULL GROUP BY o
    """)
