"""Commission without customers: clicks, links between the parties, campaigns (clauses 2.1.f and 2.1.a)."""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.affiliate_clicks import QUICK_SECONDS, add_clicks, add_shared_devices
from features.declare import Entity, Feature
from features.excess import add_surprise, add_surprise_apart

__all__ = ["FEATURES", "compute"]

NEW_ACCOUNT_DAYS = 30


def _feature(
    name: str,
    meaning: str,
    null_means: str,
    needs: tuple[str, ...],
    entity: Entity = "creator",
    source: str = "6.8",
    clause: str | None = "abuse",
) -> Feature:
    return Feature(
        name, meaning, null_means, ("orders.creator_id", *needs), "snapshot", entity, clause, source=source
    )


_CLICKS = ("affiliate_clicks.creator_id", "affiliate_clicks.clicked_at")
_NO_CREATOR = "No creator is credited with the order."
_NO_CLICKS = "No creator is credited, or the market has no click data."
_CAMPAIGN = ("orders.campaign_id", "campaigns.campaign_id")
_NO_CAMPAIGN = "The order has no campaign, or the campaign is not listed."

FEATURES: tuple[Feature, ...] = (
    _feature(
        "affiliate_click_missing",
        "1 when neither the buyer nor the order's device or address clicked on the creator's links in the 30 "
        "days before, 0 otherwise.",
        _NO_CLICKS,
        _CLICKS,
        "order",
    ),
    _feature(
        "affiliate_click_surprise",
        "Powers of ten against a missing click, given how many of the creator's other sales have one; 0 "
        "when there is a click.",
        _NO_CLICKS,
        _CLICKS,
        "order",
    ),
    _feature(
        "creator_unclicked_surprise",
        "How far the creator's share of sales without a click (this order left out) is above the market's "
        "in the same channel, in powers of ten.",
        "No creator, no click data, or the creator has no other sale.",
        _CLICKS,
    ),
    _feature(
        "click_to_order_seconds",
        "Seconds from the last click on the creator's links to the order; a few seconds are not human.",
        "No click is known.",
        _CLICKS,
        "order",
    ),
    _feature(
        "creator_quick_orders_surprise",
        f"How far the creator's share of orders within {QUICK_SECONDS} seconds of the click (this order left "
        "out) is above the market's.",
        "No click is known, or the creator has no other clicked sale.",
        _CLICKS,
    ),
    _feature(
        "device_day_clicks",
        "Clicks on this creator's links from the order's device on that day and the day before.",
        _NO_CLICKS,
        (*_CLICKS, "affiliate_clicks.device_id"),
        "device",
    ),
    _feature(
        "creator_conversion_surprise",
        "How far the creator's sales per click are above the market's.",
        "No click data for the creator.",
        _CLICKS,
    ),
    _feature(
        "creator_device_accounts",
        "Other buyers who clicked on or bought through the creator's links from this order's device.",
        "No creator is credited, or the device is not known.",
        ("orders.device_id",),
        "device",
    ),
    _feature(
        "creator_ip_surprise",
        "Powers of ten against so many other buyers behind this order's address buying through the same "
        "creator, given how many buyers are behind it.",
        "No creator is credited, or the address is not known.",
        ("orders.ip_address",),
        "pair",
    ),
    _feature(
        "creator_buyer_link",
        "Strength (0 to 1) of the link by shared identifiers between the buyer's entity and the creator or "
        "the creator's partner.",
        _NO_CREATOR,
        ("account_identifiers.account_id",),
        "pair",
        clause="self_dealing",
    ),
    _feature(
        "creator_seller_link",
        "Strength (0 to 1) of the link by shared identifiers between the seller and the creator or partner. "
        "A shop may have its own creator: context, no evidence.",
        _NO_CREATOR,
        ("account_identifiers.account_id",),
        "pair",
        source="6.2",
        clause=None,
    ),
    _feature(
        "affiliate_cycle_strength",
        "Second strongest of the three links buyer–creator, creator–seller and buyer–seller: with two of "
        "them, the commission comes back to whom it came from.",
        _NO_CREATOR,
        ("account_identifiers.account_id",),
        "pair",
        source="6.2",
        clause="self_dealing",
    ),
    _feature(
        "creator_seller_entity_orders",
        "Other orders of the buyer's entity at this seller through this creator.",
        _NO_CREATOR,
        (),
        "pair",
        source="6.2",
    ),
    _feature(
        "creator_repeat_buyers_surprise",
        "How far the share of sales for this seller through this creator to repeat buyers (this entity left "
        "out) is above the market's of creators.",
        "No creator, or the creator sold nothing else for this seller.",
        (),
        "pair",
        source="6.2",
    ),
    _feature(
        "creator_new_accounts_surprise",
        f"How far the creator's share of sales to accounts younger than {NEW_ACCOUNT_DAYS} days (this order "
        "left out) is above the market's of the same week.",
        "No creator, the account's age is not known, or the creator has no other sale.",
        ("buyers.registered_at",),
    ),
    _feature(
        "creator_late_refund_surprise",
        "How far the creator's share of completed sales that were refunded after completion (this order "
        "left out) is above the market's of the same week.",
        "No creator, not completed, or the creator has no other completed sale.",
        ("orders.completed_at", "orders.refunded_at"),
        source="6.2",
    ),
    _feature(
        "commission_total_bp",
        "Creator commission plus partner fee of the order's campaign in basis points of the price.",
        _NO_CAMPAIGN,
        (*_CAMPAIGN, "campaigns.creator_commission_bp"),
        "order",
        source="6.1",
    ),
    _feature(
        "commission_rarity",
        "Share of the market's campaign terms with at least as high a commission; small means that the "
        "seller gives away far more than others do.",
        _NO_CAMPAIGN,
        (*_CAMPAIGN, "campaigns.creator_commission_bp"),
        "order",
        source="6.1",
    ),
    _feature(
        "campaign_hours_outside",
        "Hours by which the order is outside the promotion period of its campaign, 0 inside.",
        _NO_CAMPAIGN,
        (*_CAMPAIGN, "campaigns.starts_at", "campaigns.ends_at"),
        "order",
        source="6.1",
    ),
    _feature(
        "campaign_product_missing",
        "1 when none of the order's products is in its campaign, 0 otherwise.",
        _NO_CAMPAIGN,
        (*_CAMPAIGN, "order_items.product_id"),
        "order",
        source="6.1",
    ),
    _feature(
        "creator_follower_count",
        "Followers of the creator.",
        _NO_CREATOR,
        ("creators.follower_count",),
        source="6.3",
    ),
    _feature(
        "creator_public_video_count",
        "Public videos of the creator.",
        _NO_CREATOR,
        ("creators.public_video_count",),
        source="6.3",
    ),
    _feature(
        "creator_identity_verified",
        "1 when the creator's identity is verified, 0 when not.",
        _NO_CREATOR,
        ("creators.identity_verified",),
        source="6.3",
    ),
    _feature(
        "creator_age_days",
        "Days from the creator's registration to the order.",
        _NO_CREATOR,
        ("creators.registered_at",),
        source="6.3",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_affiliate`` with ``o`` and the columns of ``FEATURES``; only orders credited to a creator."""
    _add_orders(con)
    add_clicks(con)
    add_shared_devices(con)
    _add_links(con)
    _add_campaigns(con)
    for name, query in _COMPARED.items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE excess_source AS {query}")
        (add_surprise_apart if " AS apart" in query else add_surprise)(con, "excess_source", name)
    _collect(con)
    con.execute("".join(f"DROP TABLE {name};" for name in (*_TEMPORARY, *_COMPARED)))


_TEMPORARY = (
    "affiliate_order",
    "click_order",
    "creator_devices",
    "creator_ips",
    "affiliate_link",
    "affiliate_campaign",
    "excess_source",
)
_COMPARED = {
    "creator_unclicked": "SELECT o, creator_id AS key, coalesce(channel, '') AS cell, missing AS hit "
    "FROM affiliate_order JOIN click_order USING (o)",
    "creator_quick": "SELECT o, creator_id AS key, 0 AS cell, seconds < " + str(QUICK_SECONDS) + " AS hit "
    "FROM affiliate_order JOIN click_order USING (o) WHERE seconds IS NOT NULL",
    "creator_repeat": "SELECT o, hash(creator_id, seller_id) AS key, coalesce(channel, '') AS cell, "
    "entity_orders >= 3 AS hit, coalesce(entity_id::VARCHAR, buyer_id) AS apart FROM affiliate_order",
    "creator_new": "SELECT o, creator_id AS key, week AS cell, account_days < "
    + str(NEW_ACCOUNT_DAYS)
    + " AS hit "
    "FROM affiliate_order WHERE account_days IS NOT NULL",
    "creator_refund": "SELECT o, creator_id AS key, week AS cell, coalesce(refunded_at > completed_at, false) AS hit "
    "FROM affiliate_order WHERE completed_at IS NOT NULL AND EXISTS (SELECT 1 FROM orders WHERE refunded_at IS NOT NULL)",
}


def _add_orders(con: duckdb.DuckDBPyConnection) -> None:
    """``affiliate_order``: the orders credited to a creator, with what is compared."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE affiliate_order AS
        SELECT o.o, order_id, o.creator_id, campaign_id, o.seller_id, o.buyer_id, entity_id, device_id, ip_address,
            channel, created_at, completed_at, refunded_at, c.partner_id, date_trunc('week', created_at) AS week,
            date_diff('second', b.registered_at, created_at) / 86400.0 AS account_days,
            count(*) OVER (
                PARTITION BY o.creator_id, o.seller_id, coalesce(entity_id::VARCHAR, o.buyer_id)) AS entity_orders,
            follower_count, public_video_count, identity_verified,
            date_diff('second', c.registered_at, created_at) / 86400.0 AS creator_days
        FROM orders o LEFT JOIN buyer_entity e ON e.buyer_id = o.buyer_id
        LEFT JOIN buyers b ON b.buyer_id = o.buyer_id LEFT JOIN creators c ON c.creator_id = o.creator_id
        WHERE o.creator_id IS NOT NULL
    """)


def _add_links(con: duckdb.DuckDBPyConnection) -> None:
    """``affiliate_link``: strengths of buyer–creator, creator–seller and buyer–seller; 0 where none is known."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE affiliate_link AS
        WITH linked AS (SELECT kind_a, id_a, kind_b, id_b, max(strength) AS strength FROM related_accounts GROUP BY ALL),
        of_entity AS (
            SELECT entity_id, kind_b AS kind, id_b AS id, max(strength) AS strength
            FROM linked JOIN buyer_entity ON id_a = buyer_id WHERE kind_a = 'buyer' GROUP BY ALL),
        of_seller AS (SELECT id_a AS seller_id, kind_b AS kind, id_b AS id, strength FROM linked WHERE kind_a = 'seller')
        SELECT a.o, greatest(bc.strength, bp.strength, 0) AS buyer_creator,
            greatest(sc.strength, sp.strength, 0) AS creator_seller, coalesce(bs.strength, 0) AS buyer_seller
        FROM affiliate_order a
        LEFT JOIN of_entity bc ON bc.entity_id = a.entity_id AND bc.kind = 'creator' AND bc.id = a.creator_id
        LEFT JOIN of_entity bp ON bp.entity_id = a.entity_id AND bp.kind = 'partner' AND bp.id = a.partner_id
        LEFT JOIN of_entity bs ON bs.entity_id = a.entity_id AND bs.kind = 'seller' AND bs.id = a.seller_id
        LEFT JOIN of_seller sc ON sc.seller_id = a.seller_id AND sc.kind = 'creator' AND sc.id = a.creator_id
        LEFT JOIN of_seller sp ON sp.seller_id = a.seller_id AND sp.kind = 'partner' AND sp.id = a.partner_id
        WHERE EXISTS (SELECT 1 FROM account_identifiers)
    """)


def _add_campaigns(con: duckdb.DuckDBPyConnection) -> None:
    """``affiliate_campaign``: the order beside the terms of its campaign."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE affiliate_campaign AS
        WITH line AS (
            SELECT o, campaign_id, created_at, product_id FROM affiliate_order LEFT JOIN order_items USING (order_id)
            WHERE campaign_id IN (SELECT campaign_id FROM campaigns)),
        matched AS (
            SELECT o, product_id, c.campaign_id AS hit, creator_commission_bp + coalesce(partner_commission_bp, 0) AS bp,
                CASE WHEN coalesce(starts_at, ends_at) IS NOT NULL THEN greatest(date_diff('second', created_at,
                    starts_at), date_diff('second', ends_at, created_at), 0) / 3600.0 END AS outside
            FROM line LEFT JOIN campaigns c USING (campaign_id, product_id)),
        terms AS (
            SELECT creator_commission_bp + coalesce(partner_commission_bp, 0) AS bp, count(*) AS n FROM campaigns
            WHERE creator_commission_bp IS NOT NULL GROUP BY bp),
        rank AS (SELECT bp, sum(n) OVER (ORDER BY bp DESC) / sum(n) OVER () AS share FROM terms)
        SELECT o, max(bp) AS bp, min(share) AS rarity, min(outside) AS outside,
            CASE WHEN count(product_id) > 0 THEN (count(hit) = 0)::INTEGER END AS product_missing
        FROM matched LEFT JOIN rank USING (bp) GROUP BY o
    """)


def _collect(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TABLE f_affiliate AS
        WITH joined AS (
            SELECT a.o, missing::INTEGER AS affiliate_click_missing, click_surprise AS affiliate_click_surprise,
                un.value AS creator_unclicked_surprise, seconds AS click_to_order_seconds,
                qu.value AS creator_quick_orders_surprise, day_clicks AS device_day_clicks,
                conversion AS creator_conversion_surprise, de.accounts AS creator_device_accounts,
                ip.surprise AS creator_ip_surprise, buyer_creator AS creator_buyer_link,
                creator_seller AS creator_seller_link,
                greatest(least(buyer_creator, creator_seller), least(buyer_creator, buyer_seller),
                    least(creator_seller, buyer_seller)) AS affiliate_cycle_strength,
                entity_orders - 1 AS creator_seller_entity_orders, re.value AS creator_repeat_buyers_surprise,
                ne.value AS creator_new_accounts_surprise, rf.value AS creator_late_refund_surprise,
                bp AS commission_total_bp, rarity AS commission_rarity, outside AS campaign_hours_outside,
                product_missing AS campaign_product_missing, follower_count AS creator_follower_count,
                public_video_count AS creator_public_video_count,
                identity_verified::INTEGER AS creator_identity_verified, creator_days AS creator_age_days
            FROM affiliate_order a LEFT JOIN click_order ck ON ck.o = a.o
            LEFT JOIN creator_unclicked un ON un.o = a.o LEFT JOIN creator_quick qu ON qu.o = a.o
            LEFT JOIN creator_devices de ON de.o = a.o LEFT JOIN creator_ips ip ON ip.o = a.o
            LEFT JOIN affiliate_link li ON li.o = a.o LEFT JOIN creator_repeat re ON re.o = a.o
            LEFT JOIN creator_new ne ON ne.o = a.o LEFT JOIN creator_refund rf ON rf.o = a.o
            LEFT JOIN affiliate_campaign ca ON ca.o = a.o)
        SELECT o, COLUMNS(* EXCLUDE (o))::DOUBLE FROM joined
    """)
