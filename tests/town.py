"""A hand-built town of people, shops and parcels: ordinary behaviour, row by row, for scenario tests.

It shares nothing with ``detector.simulate``: names, addresses, numbers, traces, prices and habits are its
own, so that a test does not check one generator's assumptions against themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from builders import Row

CITIES = {
    "Portland": ("Oregon", 97201),
    "Columbus": ("Ohio", 43201),
    "Nashville": ("Tennessee", 37201),
    "Boston": ("Massachusetts", 2108),
    "Raleigh": ("North Carolina", 27601),
    "Sacramento": ("California", 95811),
    "Milwaukee": ("Wisconsin", 53202),
    "Tampa": ("Florida", 33602),
    "Tucson": ("Arizona", 85701),
    "Omaha": ("Nebraska", 68102),
}
FIRST = (
    "Ada", "Ben", "Cora", "Dev", "Ella", "Finn", "Gus", "Hana", "Ivan", "June", "Kofi", "Lena", "Milo",
    "Nora", "Omar", "Pia", "Quinn", "Rosa", "Seth", "Tara",
)  # fmt: skip
LAST = (
    "Abbott", "Barnes", "Castro", "Doyle", "Engel", "Farah", "Goode", "Hughes", "Irwin", "Jensen", "Keller",
    "Lowe", "Mendez", "Novak", "Osei", "Porter", "Quigley", "Rhodes", "Stein", "Tran", "Underhill", "Vance",
    "Whitman", "Xu", "Yates", "Zeller",
)  # fmt: skip
STREETS = (
    "Alder", "Birch", "Cobalt", "Dover", "Emerson", "Fremont", "Garnet", "Hollis", "Iris", "Jasper", "Kent",
    "Linden", "Mercer", "Norwood",
)  # fmt: skip
OPENERS = (
    "Ordered it for my sister and she likes it", "Does what it should", "Smaller than I thought, still fine",
    "Second time I buy this", "Came in a plain box", "Good value I think", "Not sure about the colour",
    "My partner uses it every morning", "Exactly the one in the picture", "It took a while but it is here",
)  # fmt: skip
DETAILS = (
    "the lid sticks a bit", "would buy again", "shipping was quick", "one corner was dented",
    "I wish there were more sizes", "the shop answered my question", "smells fine", "feels solid",
    "instructions could be clearer", "matches the older one I have", "my kids were happy",
)  # fmt: skip
PRAISE = ("Love it", "great!", "Perfect ❤️", "So good", "thank you!", "5 stars", "Happy with it", "nice")


@dataclass(frozen=True, slots=True)
class Place:
    city: str
    postcode: str
    street: str

    @property
    def region(self) -> str:
        return CITIES[self.city][0]


@dataclass(frozen=True, slots=True)
class Person:
    buyer_id: str
    name: str
    phone: str
    device: str
    ip: str
    payment: str
    home: Place


@dataclass(frozen=True, slots=True)
class Shop:
    """``goods`` are (product id, price in cents, grams); ``dock`` is where its parcels are collected."""

    seller_id: str
    dock: Place
    carrier: str
    goods: tuple[tuple[str, int, int], ...]


class Town:
    """Collects rows of the contract's tables; everything is drawn from one seed."""

    def __init__(self, seed: int, opened: datetime) -> None:
        self.rng = np.random.default_rng(seed)
        self.opened = opened
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self._serials: dict[str, int] = defaultdict(int)

    def place(self, city: str | None = None, unit: bool = False) -> Place:
        """A street address; its postcode is one of eight of the city."""
        city = city or str(self.rng.choice(list(CITIES)))
        street = f"{self.rng.integers(1, 990)} {self.rng.choice(STREETS)} St"
        flat = f" Apt {self.rng.integers(1, 60)}" if unit or self.rng.random() < 0.3 else ""
        return Place(city, f"{CITIES[city][1] + int(self.rng.integers(8)):05d}", street + flat)

    def person(self, registered: datetime | None = None, **changes: Any) -> Person:
        """A buyer with an own phone, device, network, card and home, registered in the last years."""
        number = self._next("buyer")
        someone = Person(
            buyer_id=f"town-buyer-{number}",
            name=f"{self.rng.choice(FIRST)} {self.rng.choice(LAST)}",
            phone=f"+1555{number:07d}",
            device=f"town-device-{number}",
            ip=f"10.{number // 250}.{number % 250}.{self.rng.integers(1, 250)}",
            payment=f"town-card-{number}",
            home=self.place(),
        )
        someone = replace(someone, **changes)
        since = registered or self.opened - timedelta(days=float(self.rng.exponential(400)), hours=1)
        self.rows["buyers"].append({"buyer_id": someone.buyer_id, "registered_at": since})
        known = {"device": someone.device, "phone": someone.phone, "payment": someone.payment}
        self.identify("buyer", someone.buyer_id, known | {"email": f"{someone.buyer_id}@mail.example"})
        return someone

    def people(self, count: int, **changes: Any) -> list[Person]:
        return [self.person(**changes) for _ in range(count)]

    def shop(self, category: str, prices: Sequence[int], carrier: str, **changes: Any) -> Shop:
        """A seller with one product per price, a warehouse and papers of its own."""
        number = self._next("seller")
        goods = tuple(
            (f"town-product-{number}-{k}", price, 120 + price // 6) for k, price in enumerate(prices)
        )
        made = replace(Shop(f"town-seller-{number}", self.place(), carrier, goods), **changes)
        since = self.opened - timedelta(days=float(self.rng.uniform(90, 1200)))
        self.rows["sellers"].append(
            {"seller_id": made.seller_id, "registered_at": since, "country": "US", **_where(made.dock)}
        )
        self.rows["products"] += [
            {"product_id": product, "seller_id": made.seller_id, "category": category, "weight_g": grams,
             "title": f"{category} {product}", "listed_at": since + timedelta(days=30)}
            for product, _, grams in goods
        ]  # fmt: skip
        papers = {kind: f"town-{kind}-{number}" for kind in ("bank_account", "document", "device")}
        address = f"{made.dock.street}, {made.dock.postcode} {made.dock.city}"
        self.identify("seller", made.seller_id, papers | {"phone": f"+1556{number:07d}", "address": address})
        return made

    def identify(self, kind: str, account: str, known: dict[str, str]) -> None:
        self.rows["account_identifiers"] += [
            {"account_kind": kind, "account_id": account, "identifier_kind": name, "identifier_value": value}
            for name, value in known.items()
        ]

    def order(
        self,
        who: Person,
        shop: Shop,
        at: datetime,
        *,
        good: int | None = None,
        quantity: int = 1,
        **changes: Any,
    ) -> str:
        """Place, pay, ship, deliver and complete an order; one in thirty is cancelled, one in forty refunded.

        Changes are columns of ``orders``; ``ship_to`` (a Place) and ``trace`` (keywords of ``parcel``) too.
        """
        order_id = f"town-order-{self._next('order')}"
        place, trace = changes.pop("ship_to", who.home), changes.pop("trace", {})
        product, price, grams = shop.goods[int(self.rng.integers(len(shop.goods))) if good is None else good]
        subtotal = price * quantity
        off = int(changes.get("platform_discount_minor", 0))
        row: Row = {
            "order_id": order_id, "seller_id": shop.seller_id, "buyer_id": who.buyer_id, "created_at": at,
            "currency": "USD", "subtotal_minor": subtotal, "seller_discount_minor": 0,
            "platform_discount_minor": 0, "shipping_fee_minor": 350, "total_minor": subtotal + 350 - off,
            "status": "COMPLETED", "paid_at": at + self.minutes(1, 9), "payment_method": "card",
            "payment_id": who.payment, "device_id": who.device, "ip_address": who.ip,
            "recipient_name": who.name, "recipient_phone": who.phone, "ship_to_country": "US",
            "ship_to_address": place.street, "channel": str(self.rng.choice(["search", "shop", "showcase"])),
            **{f"ship_to_{name}": value for name, value in _where(place).items()},
        }  # fmt: skip
        row |= changes
        self.rows["orders"].append(row)
        self.rows["order_items"].append(
            {"order_id": order_id, "line_no": "1", "product_id": product, "sku_id": f"{product}-a",
             "quantity": quantity, "unit_price_minor": price, "list_price_minor": price}
        )  # fmt: skip
        if self.rng.random() < 1 / 30:
            row |= {"status": "CANCELLED", "cancelled_at": at + self.minutes(20, 200)}
            return order_id
        self.parcel(row, shop, place, grams * quantity, **trace)
        if self.rng.random() < 1 / 40:
            row |= {
                "refunded_at": row["delivered_at"] + self.hours(10, 40),
                "refund_minor": row["total_minor"],
            }
        return order_id

    def parcel(
        self, row: Row, shop: Shop, to: Place, grams: int, *, handed: datetime | None = None,
        unscanned: Iterable[str] = (), signed_by: str = "",
    ) -> None:  # fmt: skip
        """Ship an order: collected a day or so later, scanned on its way (some scans are lost), delivered.

        ``handed`` is when the carrier took it, ``unscanned`` the statuses of scans that nobody made.
        """
        shipment = f"town-parcel-{self._next('parcel')}"
        handed = handed or row["paid_at"] + self.hours(5, 44)
        near = shop.dock.city == to.city
        arrived = handed + (self.hours(16, 40) if near else self.hours(44, 120))
        way = arrived - handed
        weight = round(grams * float(self.rng.normal(1.08, 0.03))) + 60
        self.rows["shipments"].append(
            {"shipment_id": shipment, "order_id": row["order_id"], "carrier": shop.carrier,
             "tracking_number": self.number(shop.carrier), "created_at": handed - self.hours(1, 4),
             "shipped_at": handed, "handover": "PICK_UP", "declared_weight_g": weight,
             "ship_from_country": "US",
             **{f"ship_from_{name}": value for name, value in _where(shop.dock).items()}}
        )  # fmt: skip
        signature = signed_by or (row["recipient_name"] if self.rng.random() < 0.3 else None)
        steps = [
            ("LABEL_CREATED", handed - self.hours(0.5, 1), shop.dock, 0.3, {}),
            ("PICKED_UP", handed, shop.dock, 0.03, {"weight_g": weight if self.rng.random() < 0.5 else None}),
            ("IN_TRANSIT", handed + way * self.rng.uniform(0.08, 0.2), shop.dock, 0.1, {}),
            ("IN_TRANSIT", handed + way * self.rng.uniform(0.6, 0.8), to, 0.1, {}),
            ("OUT_FOR_DELIVERY", arrived - self.hours(1.5, 6), to, 0.1, {}),
            ("DELIVERED", arrived, to, 0.01, {"signed_by": signature}),
        ]
        self.rows["tracking_events"] += [
            {
                "shipment_id": shipment,
                "event_at": at,
                "status": status,
                "country": "US",
                **_where(where),
                **more,
            }
            for status, at, where, lost, more in steps
            if status not in unscanned and self.rng.random() >= lost
        ]
        row |= {"shipped_at": handed, "delivered_at": arrived, "completed_at": arrived + self.hours(60, 90)}

    def review(
        self, order_id: str, text: str | None = None, rating: int | None = None, **changes: Any
    ) -> None:
        """Review an order a day or more after delivery; most buyers are content, words differ."""
        row = next(row for row in reversed(self.rows["orders"]) if row["order_id"] == order_id)
        if "delivered_at" not in row:
            return
        words = f"{self.rng.choice(OPENERS)}, {self.rng.choice(DETAILS)}."
        item = next(i for i in reversed(self.rows["order_items"]) if i["order_id"] == order_id)
        self.rows["reviews"].append(
            {"review_id": f"town-review-{self._next('review')}", "order_id": order_id,
             "product_id": item["product_id"], "buyer_id": row["buyer_id"], "seller_id": row["seller_id"],
             "created_at": row["delivered_at"] + self.hours(8, 150),
             "rating": rating or int(self.rng.choice([2, 3, 4, 5], p=[0.06, 0.09, 0.2, 0.65])),
             "text": text or (str(self.rng.choice(PRAISE)) if self.rng.random() < 0.4 else words)} | changes
        )  # fmt: skip

    def custom(self, shop: Shop, count: int, start: datetime, days: float) -> None:
        """Ordinary orders of ordinary strangers, one review in four."""
        for who in self.people(count):
            order_id = self.order(
                who, shop, self.moment(start, days), quantity=1 + int(self.rng.random() < 0.15)
            )
            if self.rng.random() < 0.25:
                self.review(order_id)

    def moment(self, start: datetime, days: float) -> datetime:
        """An instant in the waking hours of the days from ``start`` on (midnight UTC)."""
        day = timedelta(days=int(self.rng.integers(max(1, round(days)))))
        return start + day + timedelta(hours=12 + float(self.rng.triangular(0, 9, 15)))

    def hours(self, low: float, high: float) -> timedelta:
        return timedelta(hours=float(self.rng.uniform(low, high)))

    def minutes(self, low: float, high: float) -> timedelta:
        return timedelta(minutes=float(self.rng.uniform(low, high)))

    def number(self, carrier: str) -> str:
        """The carrier's next tracking number, with its check digit."""
        serial = self._next(carrier)
        if carrier == "FedEx":
            body = f"{78100000000 + serial * 3:011d}"
            return body + str(sum(int(d) * w for d, w in zip(body, (3, 1, 7) * 4, strict=False)) % 11 % 10)
        if carrier == "UPS":
            body = f"7R41W803{4200000 + serial}"
            return "1Z" + body + _check_digit(body, (1, 2))
        if carrier == "OnTrac":
            body = f"C{1204000000000 + serial}"
            return body + _check_digit(body, (2, 1))
        body = f"9400111899{56230000000 + serial}"
        return body + _check_digit(body, (3, 1))

    def _next(self, kind: str) -> int:
        self._serials[kind] += 1
        return self._serials[kind]


def _check_digit(body: str, from_right: tuple[int, int]) -> str:
    """Mod 10 with two weights in turn, from the right; a letter counts as its code less three."""
    values = [int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in reversed(body)]
    return str(-sum(value * from_right[k % 2] for k, value in enumerate(values)) % 10)


def _where(place: Place) -> dict[str, str]:
    return {"region": place.region, "city": place.city, "postcode": place.postcode}
