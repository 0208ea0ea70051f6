"""What a seller's parcels have in common that real parcels to strangers do not.

Scan by scan the same waiting times, deliveries to several addresses in one minute, one person signing at
different addresses, consecutive numbers on labels of different days: the work of one pair of hands.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import gammainc

from features.columns import Codes, Floats, Rows, group_codes
from features.parcels import Parcels

__all__ = ["distinct_in_group", "number_blocks", "parcel_groups"]

ROUND_MINUTES = 600
"""Minutes of a day in which parcels are delivered."""


def parcel_groups(parcels: Parcels, seller: Codes) -> dict[str, Floats]:
    """Facts of groups of parcels, for every order.

    Returns
    -------
    dict of float64 arrays
        ``trace_twins``: parcels that started at another time and were scanned at exactly the same
        intervals (at least four scans; NaN with fewer). ``together_odds``: powers of ten against
        as many other buyers at other postcodes being served in the same minute; NaN not delivered.
        ``signatory_repeat``: other postcodes at which the same person, not the recipient, signed for this
        seller's parcels; NaN no signatory known. ``number_block``: see ``number_blocks``.
    """
    columns, shipment = parcels.columns, parcels.shipment
    postcode, entity = (group_codes(parcels.orders[name]) for name in ("ship_to_postcode", "entity"))
    known = shipment["number"].is_valid().to_numpy()
    account = group_codes(seller, shipment["carrier"])
    label_day = np.floor(np.nan_to_num(columns["label_at"]) / 86_400)
    blocks = number_blocks(account, _block_text(shipment["number"]), label_day, np.flatnonzero(known))
    return {
        "trace_twins": _twins(columns["rhythm"], columns["scanned_at"]),
        "together_odds": _together(columns, seller, postcode, entity),
        "signatory_repeat": _signatories(parcels, seller, postcode),
        "number_block": blocks,
    }


def distinct_in_group(group: Codes, value: Codes) -> Rows:
    """For every row the number of distinct values in its group."""
    pair = group_codes(group, value)
    first = np.unique(pair, return_index=True)[1]
    return np.asarray(np.bincount(group[first], minlength=int(group.max(initial=-1)) + 1)[group])


def _shared(group: Codes) -> Rows:
    """Rows that are not alone in their group."""
    return np.flatnonzero(np.bincount(group)[group] > 1) if len(group) else np.zeros(0, np.int64)


def _twins(rhythm: Floats, scanned_at: Floats) -> Floats:
    rows = np.flatnonzero(rhythm > 0)
    rows = rows[_shared(group_codes(rhythm[rows]))]
    twins = np.where(rhythm > 0, 0.0, np.nan)
    twins[rows] = distinct_in_group(group_codes(rhythm[rows]), group_codes(scanned_at[rows])) - 1
    return twins


def _together(columns: dict[str, Floats], seller: Codes, postcode: Codes, entity: Codes) -> Floats:
    """Powers of ten against as many other addresses in one minute, by the seller's deliveries of that day."""
    delivered_at = columns["delivered_at"]
    odds = np.where(np.isnan(delivered_at), np.nan, 0.0)
    rows = np.flatnonzero(~np.isnan(delivered_at) & (columns["combined"] == 0))
    minute = group_codes(seller[rows], np.floor(delivered_at[rows] / 60))
    day = group_codes(seller[rows], np.floor(delivered_at[rows] / 86_400))
    expected = (np.bincount(day)[day] if len(day) else day) / ROUND_MINUTES
    shared = _shared(minute)
    rows, minute = rows[shared], minute[shared]
    places, buyers = (distinct_in_group(minute, codes[rows]) for codes in (postcode, entity))
    others = np.minimum(places, buyers) - 1
    chance = np.where(
        others > 0, gammainc(np.maximum(others, 1), expected[shared]), 1.0
    )  # Poisson, others or more
    odds[rows] = np.round(-np.log10(np.maximum(chance, 1e-12)), 6) + 0.0
    return odds


def _signatories(parcels: Parcels, seller: Codes, postcode: Codes) -> Floats:
    other = parcels.columns["signed_by_other"]
    rows = np.flatnonzero(other == 1)
    signer = pc.utf8_lower(parcels.delivered["signed_by"].take(pa.array(rows)))
    repeat = np.where(np.isnan(other), np.nan, 0.0)
    repeat[rows] = distinct_in_group(group_codes(seller[rows], signer), postcode[rows]) - 1
    return repeat


def _block_text(number: pa.ChunkedArray) -> pa.ChunkedArray:
    """What consecutive numbers have in common: all but a serial digit, the check digit and a postal country."""
    postal = pc.match_substring_regex(number, "[A-Z]$")
    return pc.if_else(postal, pc.utf8_slice_codeunits(number, 0, -4), pc.utf8_slice_codeunits(number, 0, -2))


def number_blocks(account: Codes, block_text: pa.ChunkedArray, label_day: Floats, rows: Rows) -> Floats:
    """On how many other days labels of the order's block of numbers were made, for ``rows``; else NaN.

    A batch of labels is printed and numbered in one go, so only labels made on other days count, and only so
    far as the rest of the account's numbers (seller and carrier) are not consecutive as well: a shipper's
    account or a roll of labels numbers all of them in turn.
    """
    owner = account[rows]
    block = group_codes(owner, block_text.take(pa.array(rows)))
    days = np.zeros(len(rows))
    shared = _shared(block)
    days[shared] = distinct_in_group(group_codes(block[shared]), group_codes(label_day[rows[shared]])) - 1
    alone = np.bincount(owner, days == 0) / np.maximum(np.bincount(owner), 1) if len(rows) else np.zeros(0)
    blocks = np.full(len(account), np.nan)
    blocks[rows] = days * alone[owner]
    return blocks
