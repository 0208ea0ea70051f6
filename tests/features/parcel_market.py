"""A small market whose parcels are all in order, for tests to add the one that is not."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
from builders import AS_OF, Row, a_market, an_item, an_order, at, by_order
from number_maker import MAKERS

from features import tracking

SELLERS, ORDERS_EACH = 25, 6
CITIES = {
    "New York": ("NY", "10001"),
    "Austin": ("TX", "78701"),
    "Denver": ("CO", "80202"),
    "Boston": ("MA", "02108"),
}
WAREHOUSE = ("WA", "Seattle", "98101")
TRACE = (("PICKED_UP", 30.0), ("IN_TRANSIT", 50.0), ("IN_TRANSIT", 71.0), ("DELIVERED", 95.0))
"""Statuses of an ordinary trace and their hours after the order."""


@dataclass
class Market:
    """Rows of the tables; ``add`` puts in one order with its parcel."""

    rng: random.Random = field(default_factory=lambda: random.Random(1))
    orders: list[Row] = field(default_factory=list)
    shipments: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)

    def add(
        self,
        order_id: str,
        *,
        trace: Iterable[tuple[str, float]] = TRACE,
        parcel: Row | None = None,
        scan: Row | None = None,
        handed: Row | None = None,
        shipped: bool = True,
        **order: Any,
    ) -> str:
        """Add an order; ``parcel`` changes the shipment, ``scan`` every event, ``handed`` the delivery."""
        city = order.get("ship_to_city", self.rng.choice([*CITIES]))
        region, postcode = CITIES.get(city, (None, None))
        row = an_order(
            order_id=order_id, buyer_id=f"b-{order_id}", ship_to_country="US", ship_to_region=region, ship_to_city=city,
            ship_to_postcode=postcode, ship_to_address=f"{order_id} Main Street", recipient_name=f"Ann {order_id}",
        ) | order  # fmt: skip
        self.orders.append(row)
        self.items.append(an_item(order_id, product_id=f"p-{row['seller_id']}"))
        if shipped:
            self.ship(row, list(trace), parcel or {}, scan or {}, handed or {})
        return order_id

    def ship(self, order: Row, trace: list[tuple[str, float]], parcel: Row, scan: Row, handed: Row) -> None:
        created = order["created_at"]
        shipment = {
            "shipment_id": f"h-{order['order_id']}-{len(self.shipments)}", "order_id": order["order_id"],
            "carrier": "UPS", "tracking_number": MAKERS["ups"][1](self.rng)[0],
            "created_at": created + timedelta(hours=20), "shipped_at": created + timedelta(hours=28),
            "ship_from_country": "US", "ship_from_region": WAREHOUSE[0], "ship_from_city": WAREHOUSE[1],
            "ship_from_postcode": f"981{int(order['seller_id'][1:]) % 90 + 10}",
        } | parcel  # fmt: skip
        self.shipments.append(shipment)
        for status, hours in trace:
            event = {
                "shipment_id": shipment["shipment_id"],
                "event_at": created + timedelta(hours=hours, minutes=self.rng.randrange(55), seconds=len(self.events)),
                "status": status, "country": "US",
            }  # fmt: skip
            if status == "PICKED_UP":
                event |= {
                    "region": WAREHOUSE[0],
                    "city": WAREHOUSE[1],
                    "weight_g": 500 + self.rng.randrange(20),
                }
            if status == "DELIVERED":
                event |= {"region": order["ship_to_region"], "city": order["ship_to_city"],
                          "postcode": order["ship_to_postcode"], "signed_by": order["recipient_name"]} | handed  # fmt: skip
            self.events.append(event | scan)

    def connect(self, **tables: Iterable[Row]) -> duckdb.DuckDBPyConnection:
        sellers = sorted({row["seller_id"] for row in self.orders})
        rows: dict[str, Any] = {
            "shipments": self.shipments,
            "tracking_events": self.events,
            "order_items": self.items,
            "products": [
                {"product_id": f"p-{seller}", "seller_id": seller, "weight_g": 500} for seller in sellers
            ],
            "sellers": [
                {"seller_id": seller, "country": "US", "region": WAREHOUSE[0], "city": WAREHOUSE[1]}
                for seller in sellers
            ],
        }
        con = a_market(self.orders, **{name: each for name, each in (rows | tables).items() if each}).con
        con.execute("""
            CREATE TABLE buyer_entity AS SELECT DISTINCT buyer_id, buyer_id AS entity_id, 1 AS entity_size FROM orders
        """)
        return con

    def features(
        self, as_of: datetime = AS_OF, **tables: Iterable[Row]
    ) -> dict[str, dict[str, float | None]]:
        """Feature → value of every order."""
        con = self.connect(**tables)
        tracking.compute(con, as_of)
        return by_order(con, "f_tracking")


def ordinary_market() -> Market:
    """``SELLERS`` sellers with ``ORDERS_EACH`` ordinary orders each, one a day."""
    market = Market()
    for number in range(SELLERS * ORDERS_EACH):
        market.add(
            f"n{number:03d}",
            seller_id=f"s{number % SELLERS}",
            created_at=at(days=number // SELLERS, minutes=number),
        )
    return market
