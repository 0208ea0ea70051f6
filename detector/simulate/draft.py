"""The plan of an order: who, what, when and how it will go, as positions and codes.

Genuine shopping, look-alike groups and attacks all write the same columns; the later stages (money,
parcels, reviews, clicks) turn every plan into facts in the same way, steered only by its codes.
"""

from __future__ import annotations

from enum import IntEnum

from detector.simulate.frame import Frame

__all__ = ["CHANNELS", "NOT_IN_GROUP", "TAKEN_INTO_GROUP", "Fate", "Parcel", "Review", "orders_frame"]

CHANNELS = ("live", "video", "showcase", "search", "shop")
LIVE, VIDEO, SHOWCASE, SEARCH, SHOP = range(5)


NOT_IN_GROUP, TAKEN_INTO_GROUP = -2, -3
"""While a look-alike group is staged: an order of its people outside it, and an earlier order it takes in."""


class Parcel(IntEnum):
    """What really travels, and what its trace shows."""

    NORMAL = 0
    FEATHER = 1
    """A real parcel with next to nothing inside."""
    REUSED = 2
    """The number of another order's parcel."""
    ELSEWHERE = 3
    """A number bought for a parcel that goes to another city."""
    OTHER_STREET = 4
    """A parcel to somebody else in the same postcode."""
    FABRICATED = 5
    """A number that no carrier issued."""
    LABEL_ONLY = 6
    """A label that was paid for and never handed in."""
    TWO_NODE = 7
    """Accepted and signed for within hours, nothing between."""
    RECYCLED = 8
    """A genuine parcel whose number was in use before."""
    OUTAGE = 9
    """A genuine parcel whose scans were lost for days."""
    COMBINED = 10
    """Travels in the parcel of the first order of its combined group."""
    EXPRESS = 11
    """A genuine courier run across town: accepted, delivered, hours later."""
    OLD_NUMBER = 12
    """A genuine parcel for which the shop typed the number of its parent's parcel again."""


class Fate(IntEnum):
    """How an order ends."""

    NATURAL = 0
    DELIVER = 1
    CLAIM_CANCEL = 2
    """Paid with the subsidy, cancelled before it is sent."""
    SETTLE_REFUND = 3
    """Completed, commission settled, then refunded."""


class Review(IntEnum):
    """What is written afterwards."""

    NATURAL = 0
    NONE = 1
    RING = 2
    EARLY = 3
    """As RING, but written before the parcel arrives."""
    WRONG = 4
    """As RING, about a product that this is not."""
    FAN = 5
    """Genuine enthusiasm in the words of a community."""
    SHORT = 6
    """A paid review that is as short as an honest one."""


def orders_frame(capacity: int) -> Frame:
    """Order plans; -1 is none. ``parent`` is the order whose parcel is shared or that is replaced."""
    return Frame(
        {
            "seller": ("i4", 0),
            "buyer": ("i4", 0),
            "created": ("i8", 0),
            "product": ("i4", 0),
            "quantity": ("i4", 1),
            "more_lines": ("i1", 0),
            "address": ("i4", -1),
            "recipient": ("i4", -1),
            "device": ("i8", -1),
            "ip": ("u4", 0),
            "payment": ("i8", -1),
            "channel": ("i1", SEARCH),
            "creator": ("i4", -1),
            "campaign": ("i4", -1),
            "price_factor": ("f4", 1.0),
            "voucher_bp": ("i4", -1),
            "parcel": ("i1", Parcel.NORMAL),
            "fate": ("i1", Fate.NATURAL),
            "review": ("i1", Review.NATURAL),
            "script": ("i4", -1),
            "click": ("f4", 0.92),
            "ship_city": ("i2", -1),
            "ship_post": ("i4", -1),
            "typo": ("i1", 0),
            "carrier": ("i2", -1),
            "cross": ("?", False),
            "sample": ("?", False),
            "replacement": ("?", False),
            "exchange": ("?", False),
            "combined": ("i4", -1),
            "parent": ("i4", -1),
            "fake": ("?", False),
            "attack": ("i1", -1),
            "group": ("i1", -1),
            "ring": ("i4", -1),
        },
        capacity,
    )
