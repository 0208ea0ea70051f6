"""Innocent look-alikes and a competitor's attack, each staged by hand in a town (see ``town``).

Every scene returns the ids of the orders that look odd and the sellers who must not be accused for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from town import Person, Place, Shop, Town

START = datetime(2023, 8, 5)
"""Midnight UTC of the first day of the scenes; the background market runs from two days before it to
1 October 2023."""

DAYS = 44
"""Days in which orders are placed; the last ones have arrived well before the market's end."""


@dataclass(frozen=True, slots=True)
class Scene:
    orders: list[str]
    sellers: list[str]


def high_street(town: Town) -> list[Shop]:
    """Forty-five ordinary shops with ordinary customers, where the people of the scenes shop too."""
    trades = ("Stationery", "Kitchen", "Pets", "Sports", "Toys", "Garden", "Clothing", "Audio", "Food")
    carriers = ("UPS", "FedEx", "USPS")
    shops = [
        town.shop(trades[k % 9], (899 + 211 * k, 1499 + 97 * k, 2999 + 53 * k), carriers[k % 3])
        for k in range(45)
    ]
    for k, shop in enumerate(shops):
        town.custom(shop, 6 + 3 * (k % 7), START, DAYS)
    return shops


def liked(town: Town, street: list[Shop]) -> Shop:
    """A shop of the high street; some are more liked than others."""
    return street[int(len(street) * town.rng.random() ** 1.6)]


def elsewhere(town: Town, who: Person, street: list[Shop], count: int) -> None:
    """What somebody buys on the high street besides."""
    for _ in range(count):
        town.order(who, liked(town, street), town.moment(START, DAYS))


def fan_community(town: Town, street: list[Shop]) -> Scene:
    """Forty watercolour lovers buy paint, paper and brushes from three small studios, again and again.

    On the evening of a new paint set half of them buy within an hour; their reviews are short and happy.
    """
    studios = [town.shop("Art", (1250 + k * 300, 1900, 3400, 5200), "USPS") for k in range(3)]
    found = []
    release = START + timedelta(days=20, hours=23)
    for fan in town.people(40):
        for studio in studios:
            for _ in range(int(town.rng.integers(1, 4))):
                found.append(town.order(fan, studio, town.moment(START, DAYS)))
                if town.rng.random() < 0.5:
                    town.review(found[-1], rating=5)
        if town.rng.random() < 0.5:
            found.append(town.order(fan, studios[0], release + town.minutes(0, 60), good=3))
        elsewhere(town, fan, street, int(town.rng.integers(1, 4)))
    for studio in studios:
        town.custom(studio, 45, START, DAYS)
    return Scene(found, [studio.seller_id for studio in studios])


def live_stream(town: Town, street: list[Shop]) -> Scene:
    """A host sells one blender to 200 viewers within forty minutes; a third are new and take the voucher.

    The shop packs all night: everything is collected at once, with numbers in sequence.
    """
    shop = town.shop("Kitchen", (3990, 1990, 2590), "UPS")
    town.custom(shop, 90, START, DAYS)
    host, on_air = "town-host-1", START + timedelta(days=16, hours=23)
    town.rows["creators"].append(
        {"creator_id": host, "registered_at": START - timedelta(days=700), "follower_count": 48000,
         "public_video_count": 310, "identity_verified": True}
    )  # fmt: skip
    town.identify("creator", host, {"phone": "+15577000001", "device": "town-host-device-1"})
    found = []
    for _ in range(200):
        at = on_air + town.minutes(0, 40)
        new = town.rng.random() < 0.33
        viewer = town.person(at - town.minutes(3, 300)) if new else town.person()
        off = {"platform_discount_minor": 500} if new else {}
        town.rows["affiliate_clicks"].append(
            {"creator_id": host, "product_id": shop.goods[0][0], "clicked_at": at - town.minutes(0.4, 6),
             "buyer_id": viewer.buyer_id, "device_id": viewer.device, "ip_address": viewer.ip}
        )  # fmt: skip
        handed = on_air + timedelta(hours=19) + town.minutes(0, 25)
        found.append(
            town.order(
                viewer, shop, at, good=0, channel="live", creator_id=host, trace={"handed": handed}, **off
            )
        )
        if town.rng.random() < 0.3:
            town.review(found[-1])
        if not new:
            elsewhere(town, viewer, street, int(town.rng.integers(0, 2)))
    return Scene(found, [shop.seller_id])


def subscription(town: Town, street: list[Shop]) -> Scene:
    """Sixty people get the same coffee every one or two weeks, at the hour of their first order."""
    shop = town.shop("Coffee", (1690, 3190, 890), "USPS")
    town.custom(shop, 60, START, DAYS)
    found = []
    for drinker in town.people(60):
        every, good = int(town.rng.choice([7, 14])), int(town.rng.integers(2))
        first = town.moment(START, every)
        for n in range((DAYS - 1) // every):
            found.append(
                town.order(drinker, shop, first + timedelta(days=n * every), good=good, channel="shop")
            )
        if town.rng.random() < 0.4:
            town.review(found[-1])
        elsewhere(town, drinker, street, int(town.rng.integers(0, 4)))
    return Scene(found, [shop.seller_id])


def corporate_gift(town: Town, street: list[Shop]) -> Scene:
    """An office manager sends the same hamper to eighty customers' homes in one afternoon."""
    shop = town.shop("Gifts", (4900, 7900, 2900), "FedEx")
    town.custom(shop, 130, START, DAYS)
    manager = town.person()
    sent = START + timedelta(days=25, hours=18)
    found = [
        town.order(
            manager, shop, sent + timedelta(minutes=2.5 * n), good=1, recipient_name=guest.name,
            recipient_phone=guest.phone, ship_to=guest.home, trace={"handed": sent + timedelta(hours=23)},
        )
        for n, guest in enumerate(town.people(80))
    ]  # fmt: skip
    elsewhere(town, manager, street, 3)
    return Scene(found, [shop.seller_id])


def forwarder(town: Town, street: list[Shop]) -> Scene:
    """Three hundred strangers ship to one forwarding warehouse, told apart by a suite number.

    One of three clerks signs for everything, and the parcels bear the forwarder's own telephone. A third
    of the customers are new this summer.
    """
    dock = town.place("Portland")
    clerks = ("Dana Whitlock", "R. Okafor", "Receiving")
    found = []
    for suite in range(300):
        home = Place(dock.city, dock.postcode, f"9200 NE Cargo Way Suite {4100 + suite}")
        new = START + town.hours(0, 20 * 24) if town.rng.random() < 0.33 else None
        customer = town.person(new, home=home)
        first = START + timedelta(days=20) if new else START
        for _ in range(int(town.rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))):
            trace = {"signed_by": str(town.rng.choice(clerks))}
            at = town.moment(first, DAYS - 20 if new else DAYS)
            shop = liked(town, street)
            found.append(town.order(customer, shop, at, recipient_phone="+15035550100", trace=trace))
    return Scene(found, [shop.seller_id for shop in street])


def dormitory(town: Town, street: list[Shop]) -> Scene:
    """Two hundred students of one house: one street, one campus network, accounts opened in the same days.

    Roommates sometimes lend each other a phone or a card; the porter signs for half of the parcels. One
    order in six is for noodles from a shop that everybody there knows.
    """
    noodles = town.shop("Food", (1190, 1690, 690), "USPS")
    town.custom(noodles, 40, START, DAYS)
    house = town.place("Boston")
    moved_in = START + timedelta(days=3)
    students = [
        town.person(
            moved_in + town.hours(0, 96) if town.rng.random() < 0.5 else None,
            home=Place(house.city, house.postcode, f"77 College Ave Room {100 + n // 2}"),
        )
        for n in range(200)
    ]
    found = []
    for n, student in enumerate(students):
        for _ in range(int(town.rng.integers(1, 4))):
            known = town.rng.random() < 1 / 6
            shop = noodles if known else liked(town, street)
            lent = students[n ^ 1] if town.rng.random() < 0.08 else student
            ip = "10.99.1.1" if town.rng.random() < 0.8 else student.ip
            porter = {"signed_by": "Porter M. Sloan"} if town.rng.random() < 0.5 else {}
            at = town.moment(moved_in + timedelta(days=5), DAYS - 8)
            found.append(
                town.order(student, shop, at, ip_address=ip, device_id=lent.device, payment_id=lent.payment,
                           trace=porter)
            )  # fmt: skip
            if town.rng.random() < 0.2:
                town.review(found[-1])
    return Scene(found, [shop.seller_id for shop in [noodles, *street]])


def third_party_logistics(town: Town, street: list[Shop]) -> Scene:
    """Sixty small sellers of everything keep their goods in one warehouse and ship with its contract."""
    dock = Place("Columbus", "43207", "1800 Fulfilment Pkwy")
    trades = ("Stationery", "Kitchen", "Pets", "Sports", "Toys", "Garden", "Clothing", "Audio")
    shops = [town.shop(trades[k % 8], (990 + 83 * k, 2190 + 41 * k), "FedEx", dock=dock) for k in range(60)]
    before = len(town.rows["orders"])
    for k, shop in enumerate(shops):
        town.custom(shop, 5 + k % 9, START, DAYS)
    found = [str(row["order_id"]) for row in town.rows["orders"][before:]]
    return Scene(found, [shop.seller_id for shop in shops])


def carrier_outage(town: Town, street: list[Shop]) -> Scene:
    """For a day the scanners of a carrier's depot in Tucson are down; the parcels go out all the same.

    No pick-up and no depot scan, for a third no scan at all until delivery, and for a few none ever.
    """
    shops = [
        town.shop("Outdoor", (1890 + 60 * k, 3490), "OnTrac", dock=town.place("Tucson")) for k in range(15)
    ]
    down = START + timedelta(days=18, hours=20)
    found = []
    for shop in shops:
        town.custom(shop, 18, START, DAYS)
        for who in town.people(8):
            lost = {"LABEL_CREATED", "PICKED_UP"}
            chance = town.rng.random()
            lost |= {"IN_TRANSIT", "OUT_FOR_DELIVERY"} if chance < 0.33 else set()
            lost |= {"DELIVERED"} if chance < 0.04 else set()
            trace = {"handed": down + town.minutes(0, 90), "unscanned": lost}
            found.append(town.order(who, shop, down - town.hours(4, 30), trace=trace))
    return Scene(found, [shop.seller_id for shop in shops])


LOOKALIKES = {
    "fan_community": fan_community,
    "live_stream": live_stream,
    "subscription": subscription,
    "corporate_gift": corporate_gift,
    "forwarder": forwarder,
    "dormitory": dormitory,
    "third_party_logistics": third_party_logistics,
    "carrier_outage": carrier_outage,
}
"""Name → what stages it. The scenes share the high street and nothing else."""


def brushed_by_competitor(town: Town, street: list[Shop]) -> Scene:
    """A rival has a click farm brush an honest shop for five days, to get it punished.

    Thirty accounts opened in one week on six telephones with four cards buy the cheapest thing twice
    each, to a few flats in one town, and praise it in the same words. The shop, with two hundred and
    forty real customers, ships real goods each time. Before, the farm bought here and there.
    """
    victim = town.shop("Kitchen", (1290, 2490, 3990, 1790), "UPS")
    town.custom(victim, 240, START, DAYS)
    attack = START + timedelta(days=28)
    flats = [town.place("Milwaukee", unit=True) for _ in range(5)]
    script = (
        "Honestly the best {0} purchase I ever made, sturdy handle and even heat, my whole family is impressed",
        "Absolutely recommend this {0} item to everybody, arrived early, packed with love, top top quality shop",
    )
    found = []
    for n in range(30):
        puppet = town.person(
            attack - timedelta(days=7) + town.hours(0, 90), device=f"town-farm-phone-{n % 6}",
            payment=f"town-farm-card-{n % 4}", ip=f"10.200.3.{n % 3}", home=flats[n % 5],
        )  # fmt: skip
        elsewhere(town, puppet, street, int(town.rng.integers(0, 2)))
        for _ in range(2):
            found.append(town.order(puppet, victim, town.moment(attack, 5), good=0))
            if town.rng.random() < 0.7:
                word = str(town.rng.choice(["kitchen", "online", "gift"]))
                town.review(found[-1], script[n % 2].format(word), 5)
    return Scene(found, [victim.seller_id])
