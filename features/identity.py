"""Who is who: accounts that are one person, one household or one ring (policy 2.1.a).

An identifier shared by two accounts links them; a rare one links them strongly. A public hub (an office
network, a dormitory's street, a forwarder's warehouse, a parcel locker) links nobody. Degree alone does not
tell a hub from a device farm, so the independence of the users decides: people behind a hub shop where the
market shops, the accounts of a farm shop at the same few sellers.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.declare import Feature
from features.identifiers import create_links, create_macros

RARE_DEGREE: dict[str, int] = {
    "document": 12,
    "bank_account": 12,
    "email": 8,
    "payment": 6,
    "device": 6,
    "phone": 6,
    "address": 4,
    "ip": 2,
}
"""Accounts up to which an identifier is taken to be private: a family's tablet, a couple's card."""

JOINING_KINDS = ("document", "bank_account", "email", "payment", "device", "phone")
"""Kinds that make accounts one entity; an address does so only when its users are dependent, a network never:
carriers hand one address to a whole town, and towns have favourite shops."""

DEPENDENT_PAIR_SHARE = 0.2
"""Share of account pairs behind an identifier that met at one seller, above which they act as one."""

DEPENDENT_SURPRISE = 8.0
"""…and how surprising (natural log-likelihood ratio) that must be against the sellers' popularity."""

MAX_USERS = 3000
"""An identifier with more users than this is public whatever they buy."""

FEATURES: tuple[Feature, ...] = (
    Feature(
        "entity_accounts",
        "Buyer accounts that shared rare identifiers show to be one person, household or ring.",
        "Never null: an account that shares nothing is its own entity.",
        (),
        kind="snapshot",
        entity="buyer",
    ),
    Feature(
        "entity_seller_accounts",
        "Other accounts of the buyer's entity that bought from this seller too.",
        "Never null.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="self_dealing",
    ),
    Feature(
        "entity_seller_share",
        "Share of the entity's other orders that went to this seller; 1 means it shops nowhere else.",
        "The entity has no other order.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="self_dealing",
    ),
    Feature(
        "entity_focus",
        "Surprise (natural log-likelihood ratio, capped at 50) that so many accounts of one entity bought "
        "from this seller, against the seller's popularity and how much the entity shops.",
        "The entity is a single account.",
        (),
        kind="snapshot",
        entity="buyer",
        clause="self_dealing",
        source="2.1.a",
    ),
    Feature(
        "hub_focus",
        "The largest surprise, over the order's identifiers, that so many of the identifier's accounts met "
        "at this seller; the same measure as entity_focus, capped at 50.",
        "No identifier of the order is shared by two accounts.",
        (),
        kind="snapshot",
        entity="device",
        clause="self_dealing",
        source="2.1.a",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``identifier_links``, ``accounts``, ``identifiers``, ``buyer_entity`` and ``f_identity``.

    ``identifiers(kind, identifier, users, pair_share, surprise, is_private)``: one row per identifier that
    two or more buyers share. ``buyer_entity(buyer_id, entity_id, entity_size)``: one row per buyer; the id
    is the smallest buyer id of the entity, so it does not depend on the order of rows.
    """
    create_macros(con)
    create_links(con)
    _buying(con)
    _judge_identifiers(con)
    _resolve(con)
    _features(con)
    con.execute("DROP TABLE shared_users; DROP TABLE account_sellers")


def _buying(con: duckdb.DuckDBPyConnection) -> None:
    """``account_sellers`` (who bought where) and ``seller_popularity`` (chance that a buyer is there).

    Popularity is a country's: buyers of one country share sellers because those deliver there.
    """
    con.execute("""
        CREATE OR REPLACE TABLE account_sellers AS
        SELECT buyer_id, seller_id, count(*) AS orders FROM orders GROUP BY ALL;
        CREATE OR REPLACE TABLE buyer_country AS
        SELECT buyer_id, coalesce(min(ship_to_country), '') AS country FROM orders GROUP BY ALL;
        CREATE OR REPLACE TABLE country_size AS
        SELECT country, count(*) AS buyers, sum(sellers) / count(*) AS mean_visits FROM buyer_country
        JOIN (SELECT buyer_id, count(*) AS sellers FROM account_sellers GROUP BY ALL) USING (buyer_id)
        GROUP BY ALL;
        CREATE OR REPLACE TABLE seller_popularity AS
        SELECT seller_id, country, count(*) / any_value(s.buyers) AS chance
        FROM account_sellers JOIN buyer_country USING (buyer_id) JOIN country_size s USING (country)
        GROUP BY ALL;
        CREATE OR REPLACE MACRO expected_accounts(users, chance, visits, mean_visits) AS
            users * least(1, chance * visits / users / mean_visits);
        CREATE OR REPLACE MACRO surprise(found, expected) AS
            CASE WHEN found > expected THEN found * ln(found / expected) - (found - expected) ELSE 0 END
    """)


def _judge_identifiers(con: duckdb.DuckDBPyConnection) -> None:
    """Count the users of each identifier and how far they shop together beyond the sellers' popularity."""
    con.execute(f"""
        CREATE OR REPLACE TABLE shared_users AS
        SELECT kind, identifier, account_id AS buyer_id FROM identifier_links JOIN accounts USING (account)
        JOIN (SELECT identifier FROM identifier_links WHERE is_buyer GROUP BY identifier
              HAVING count(*) BETWEEN 2 AND {MAX_USERS}) USING (identifier)
        WHERE is_buyer;
        CREATE OR REPLACE TABLE identifier_sellers AS
        SELECT kind, identifier, seller_id, min(country) AS country, count(*) AS accounts
        FROM shared_users JOIN account_sellers USING (buyer_id) JOIN buyer_country USING (buyer_id)
        GROUP BY kind, identifier, seller_id;
        CREATE OR REPLACE TABLE identifier_size AS
        SELECT kind, identifier, users, visits FROM
            (SELECT kind, identifier, count(*) AS users FROM shared_users GROUP BY ALL)
            JOIN (SELECT kind, identifier, sum(accounts) AS visits FROM identifier_sellers GROUP BY ALL)
            USING (kind, identifier);
        CREATE OR REPLACE TABLE identifiers AS
        WITH met AS (
            SELECT kind, identifier, any_value(users) AS users,
                   sum(accounts * (accounts - 1) / 2) AS pairs,
                   exact_sum(expected_accounts(users, chance, visits, mean_visits) ** 2 / 2) AS expected
            FROM identifier_sellers JOIN identifier_size USING (kind, identifier)
            JOIN seller_popularity USING (seller_id, country) JOIN country_size USING (country)
            GROUP BY kind, identifier)
        SELECT kind, identifier, users, round(least(pairs / (users * (users - 1) / 2), 1), 9) AS pair_share,
               round(surprise(pairs, expected), 9) AS surprise
        FROM met
    """)
    rare = " ".join(f"WHEN '{kind}' THEN {degree}" for kind, degree in RARE_DEGREE.items())
    con.execute(f"""
        ALTER TABLE identifiers ADD COLUMN is_private BOOLEAN;
        UPDATE identifiers SET is_private =
            (users <= CASE kind {rare} END AND kind IN {JOINING_KINDS})
            OR (kind <> 'ip' AND users > 2 AND pair_share >= {DEPENDENT_PAIR_SHARE} AND surprise >= {DEPENDENT_SURPRISE})
    """)


def _resolve(con: duckdb.DuckDBPyConnection) -> None:
    """Connected components of buyers over private identifiers."""
    con.execute("""
        CREATE OR REPLACE TABLE buyer_nodes AS
        SELECT buyer_id, (row_number() OVER (ORDER BY buyer_id) - 1)::INTEGER AS node
        FROM (SELECT DISTINCT buyer_id FROM orders)
    """)
    edges = con.execute("""
        SELECT b.node, dense_rank() OVER (ORDER BY kind, identifier) - 1 AS identifier
        FROM shared_users JOIN identifiers USING (kind, identifier) JOIN buyer_nodes b USING (buyer_id)
        WHERE is_private
    """).fetchnumpy()
    count = con.execute("SELECT count(*) FROM buyer_nodes").fetchall()[0][0]
    labels = component_labels(count, np.asarray(edges["node"]), np.asarray(edges["identifier"]))
    table = {"node": np.arange(count, dtype=np.int32), "label": labels}
    con.register("component_nodes", pa.table(table))
    con.execute("""
        CREATE OR REPLACE TABLE buyer_entity AS
        SELECT buyer_id, min(buyer_id) OVER (PARTITION BY label) AS entity_id,
               count(*) OVER (PARTITION BY label) AS entity_size
        FROM buyer_nodes JOIN component_nodes USING (node)
    """)
    con.unregister("component_nodes")
    con.execute("DROP TABLE buyer_nodes")


def component_labels(accounts: int, account: np.ndarray, identifier: np.ndarray) -> np.ndarray:
    """Label the connected components of accounts that share identifiers.

    Parameters
    ----------
    accounts
        Number of accounts; nodes are ``0 … accounts − 1``.
    account, identifier
        Integer arrays of equal length: one edge each between an account and an identifier.

    Returns
    -------
    ndarray of int32, shape (accounts,)
        Component label of each account; accounts without an edge are alone.

    >>> component_labels(4, np.array([0, 1, 2]), np.array([0, 0, 1])).tolist()
    [0, 0, 1, 2]
    """
    width = int(identifier.max()) + 1 if len(identifier) else 0
    size = accounts + width
    graph = coo_array((np.ones(len(account), dtype=np.int8), (account, identifier + accounts)), (size, size))
    labels: np.ndarray = connected_components(graph, directed=False)[1]
    return labels[:accounts]


def _features(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TABLE entity_sellers AS
        SELECT entity_id, seller_id, min(country) AS country, count(*) AS accounts, sum(orders) AS orders
        FROM account_sellers JOIN buyer_entity USING (buyer_id) JOIN buyer_country USING (buyer_id)
        GROUP BY entity_id, seller_id;
        CREATE OR REPLACE TABLE entity_totals AS
        SELECT entity_id, sum(orders) AS orders, sum(accounts) AS visits FROM entity_sellers GROUP BY ALL;
        CREATE OR REPLACE MACRO focus(accounts, users, chance, visits, mean_visits) AS
            CASE WHEN accounts < 2 THEN 0 ELSE round(least(50,
                surprise(accounts, expected_accounts(users, chance, visits, mean_visits))), 9) END;
        CREATE OR REPLACE TABLE pair_focus AS
        SELECT s.buyer_id, i.seller_id, max(focus(accounts, users, chance, visits, mean_visits)) AS hub_focus
        FROM identifier_sellers i JOIN identifier_size USING (kind, identifier)
        JOIN seller_popularity USING (seller_id, country) JOIN country_size USING (country)
        JOIN shared_users s USING (kind, identifier)
        JOIN account_sellers a ON a.buyer_id = s.buyer_id AND a.seller_id = i.seller_id
        WHERE accounts >= 2 AND kind <> 'ip' GROUP BY ALL;
        CREATE OR REPLACE TABLE f_identity AS
        SELECT o.o, e.entity_size::DOUBLE AS entity_accounts,
               (s.accounts - 1)::DOUBLE AS entity_seller_accounts,
               round((s.orders - 1) / nullif(t.orders - 1, 0), 9)::DOUBLE AS entity_seller_share,
               CASE WHEN e.entity_size > 1
                    THEN focus(s.accounts, e.entity_size, chance, visits, mean_visits) END AS entity_focus,
               coalesce(f.hub_focus, CASE WHEN h.buyer_id IS NOT NULL THEN 0 END)::DOUBLE AS hub_focus
        FROM orders o JOIN buyer_entity e USING (buyer_id)
        JOIN entity_sellers s ON s.entity_id = e.entity_id AND s.seller_id = o.seller_id
        JOIN entity_totals t ON t.entity_id = e.entity_id
        JOIN seller_popularity p ON p.seller_id = o.seller_id AND p.country = s.country
        JOIN country_size c ON c.country = s.country
        LEFT JOIN (SELECT DISTINCT buyer_id FROM shared_users) h ON h.buyer_id = o.buyer_id
        LEFT JOIN pair_focus f ON f.buyer_id = o.buyer_id AND f.seller_id = o.seller_id;
        DROP TABLE pair_focus; DROP TABLE entity_totals; DROP TABLE identifier_sellers;
        DROP TABLE identifier_size
    """)
