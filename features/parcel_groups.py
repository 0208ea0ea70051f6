"""What a seller's parcels have in common that real parcels to strangers do not.

Scan by scan the same waiting times, deliveries to several addresses in one minute, one person signing at
different addresses: the work of one pair of hands.
"""

from __future__ import annotations

import duckdb

__all__ = ["create_groups"]


def create_groups(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``tk_group``: per order ``trace_twins``, ``delivered_together`` and ``signatory_repeat``.

    ``trace_twins``: parcels that started at another time and were scanned at exactly the same intervals (at
    least four scans; null with fewer). ``delivered_together``: other buyers at other postcodes whose
    parcels of this seller were delivered in the same minute; null if not delivered. ``signatory_repeat``:
    other postcodes at which the same person, not the recipient, signed for this seller's parcels; null
    where no signatory is known.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_minute AS
        SELECT o, hash(seller, floor(delivered_at / 60)) AS minute FROM tk_parcel JOIN tk_order USING (o)
        WHERE delivered_at IS NOT NULL AND NOT combined;
        CREATE OR REPLACE TEMP TABLE tk_together AS
        WITH crowded AS (SELECT minute FROM tk_minute GROUP BY minute HAVING count(*) > 1),
        address AS (
            SELECT minute, least(count(DISTINCT ship_to_postcode), count(DISTINCT entity)) AS addresses
                    FROM crowded JOIN tk_minute USING (minute) JOIN tk_order USING (o) JOIN orders USING (o)
                    GROUP BY minute)
        SELECT o, addresses FROM tk_minute JOIN address USING (minute);
        CREATE OR REPLACE TEMP TABLE tk_twin AS
        WITH shared AS (SELECT rhythm FROM tk_parcel WHERE rhythm > 0 GROUP BY rhythm HAVING count(*) > 1)
        SELECT rhythm, count(DISTINCT scanned_at) - 1 AS twins FROM tk_parcel JOIN shared USING (rhythm)
        GROUP BY rhythm;
        CREATE OR REPLACE TEMP TABLE tk_signer AS
        WITH stranger AS (
            SELECT o, ship_to_postcode AS postcode, hash(seller, lower(signed_by)) AS signer
            FROM tk_gap JOIN tk_scan USING (o) JOIN tk_order USING (o) JOIN orders USING (o)
            WHERE signed_by_other = 1 AND is_delivery)
        SELECT o, count(DISTINCT postcode) OVER (PARTITION BY signer) AS postcodes FROM stranger
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_group AS
        SELECT o, CASE WHEN p.rhythm > 0 THEN coalesce(twins, 0) END AS trace_twins,
               CASE WHEN delivered_at IS NOT NULL THEN greatest(coalesce(addresses, 1) - 1, 0) END
                   AS delivered_together,
               CASE WHEN signed_by_other = 1 THEN greatest(coalesce(postcodes, 1) - 1, 0)
                    WHEN signed_by_other = 0 THEN 0 END AS signatory_repeat
        FROM tk_parcel p JOIN tk_gap USING (o) LEFT JOIN tk_twin t ON t.rhythm = p.rhythm
        LEFT JOIN tk_together USING (o) LEFT JOIN tk_signer USING (o)
    """)
    for table in ("tk_minute", "tk_together", "tk_twin", "tk_signer"):
        con.execute(f"DROP TABLE {table}")
