"""What a seller's parcels have in common that real parcels to strangers do not.

Scan by scan the same waiting times, deliveries to several addresses in one minute, one person signing at
different addresses: the work of one pair of hands.
"""

from __future__ import annotations

import duckdb

__all__ = ["add_group_facts"]


def add_group_facts(con: duckdb.DuckDBPyConnection) -> None:
    """Add ``trace_twins``, ``delivered_together`` and ``signatory_repeat`` to ``tk_parcel``.

    ``trace_twins``: parcels that started at another time and were scanned at exactly the same intervals (at
    least four scans; null with fewer). ``delivered_together``: other postcodes to which the seller's parcels
    were delivered in the same minute; null if not delivered. ``signatory_repeat``: other postcodes at which
    the same person, not the recipient, signed for this seller's parcels; null where no signatory is known.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_twin AS
        SELECT rhythm, count(DISTINCT scanned_at) - 1 AS twins FROM tk_parcel
        WHERE rhythm > 0 AND number IS NOT NULL GROUP BY rhythm HAVING count(*) > 1;
        CREATE OR REPLACE TEMP TABLE tk_together AS
        SELECT seller, floor(delivered_at / 60) AS minute, count(DISTINCT ship_to_postcode) AS postcodes FROM tk_parcel
        WHERE delivered_at IS NOT NULL AND combined_group_id IS NULL
        GROUP BY ALL HAVING count(*) > 1;
        CREATE OR REPLACE TEMP TABLE tk_signer AS
        SELECT seller, lower(delivered_place.signed_by) AS signer, count(DISTINCT ship_to_postcode) AS postcodes
        FROM tk_parcel WHERE signed_by_other = 1 GROUP BY ALL HAVING count(*) > 1
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_parcel AS
        SELECT p.*, CASE WHEN rhythm > 0 THEN coalesce(twins, 0) END AS trace_twins,
               CASE WHEN delivered_at IS NOT NULL
                    THEN greatest(coalesce(t.postcodes, 0) - 1, 0) END AS delivered_together,
               CASE WHEN signed_by_other = 1 THEN greatest(coalesce(g.postcodes, 0) - 1, 0)
                    WHEN signed_by_other = 0 THEN 0 END AS signatory_repeat
        FROM tk_parcel p LEFT JOIN tk_twin w USING (rhythm)
        LEFT JOIN tk_together t ON t.seller = p.seller AND t.minute = floor(p.delivered_at / 60)
        LEFT JOIN tk_signer g ON g.seller = p.seller AND g.signer = lower(delivered_place.signed_by)
                                 AND signed_by_other = 1
        ORDER BY o
    """)
    con.execute("DROP TABLE tk_twin; DROP TABLE tk_together; DROP TABLE tk_signer")
