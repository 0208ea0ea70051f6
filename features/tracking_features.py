"""The features of ``tracking``, declared: clauses tracking_mismatch (2.1.b) and invalid_tracking (2.1.c)."""

from __future__ import annotations

from features.declare import Entity, Feature, Kind

__all__ = ["FEATURES"]

MISMATCH, INVALID = "tracking_mismatch", "invalid_tracking"


def _fact(name: str, clause: str, meaning: str, null_means: str, needs: str, source: str, kind: Kind = "row",
          entity: Entity = "order") -> Feature:  # fmt: skip
    return Feature(name, meaning, null_means, tuple(needs.split()), kind, entity, clause, source=source)


_NUMBER = "shipments.tracking_number shipments.carrier"
_SCANS = "tracking_events.event_at tracking_events.status"
_HOW = "−log10 of the share of other sellers' comparable orders that show as much: "

FEATURES: tuple[Feature, ...] = (
    _fact(
        "number_invalid", INVALID,
        "1: the declared carrier cannot have issued the number (shape, check digit); 0.5: unusual; 0: fits.",
        "No number, or a carrier without a reliable public pattern.", _NUMBER, "2.1.c",
    ),
    _fact(
        "carrier_mismatch", MISMATCH,
        "1: only another carrier issues such numbers, or prefix, hand-over, origin, date contradict (6.6).",
        "No number, or the declared carrier is not known.", _NUMBER, "6.6",
    ),
    _fact(
        "number_disowned", INVALID,
        "1: the carrier only ever answered not found, invalid or expired.",
        "The carrier neither scanned nor disowned the parcel.", _SCANS, "2.1.c",
    ),
    _fact(
        "scan_before_order_hours", INVALID,
        "Hours by which the parcel's first scan precedes the order; a recycled number's old scans left out.",
        "The parcel was never scanned.", _SCANS, "2.1.c",
    ),
    _fact(
        "delivered_before_shipped_hours", INVALID,
        "Hours by which the delivery precedes the first other scan, or without one the hand-over stated.",
        "Not delivered, or neither scan nor hand-over known.", _SCANS, "6.5",
    ),
    _fact(
        "max_speed_kmh", MISMATCH,
        "Highest speed between two scans with coordinates; over 900 nothing flies.",
        "Fewer than two scans with coordinates.",
        "tracking_events.latitude tracking_events.longitude", "2.1.b",
    ),
    _fact(
        "trace_scans", INVALID, "Times the carrier scanned the parcel; two is a bare trace.",
        "No shipment.", _SCANS, "2.1.c",
    ),
    _fact(
        "transit_hours", INVALID, "Hours from pick-up to delivery; few hours over a distance are suspicious.",
        "Not picked up or not delivered.", _SCANS, "2.1.c",
    ),
    _fact(
        "label_only_days", INVALID, "Age of a label that was never scanned, 0 once scanned.",
        "No shipment.", f"shipments.created_at {_SCANS}", "6.7",
    ),
    _fact(
        "acceptance_days", INVALID, "Days from the order to the first scan, announced exceptions taken off.",
        "Never accepted.", _SCANS, "6.7",
    ),
    _fact(
        "destination_gap", MISMATCH,
        "Delivered elsewhere than shipped to: 1 other postcode, 2 city, 3 region, 4 country.",
        "Not delivered, or a place is missing, masked or in another script.",
        "tracking_events.city orders.ship_to_city", "2.1.b",
    ),
    _fact(
        "pickup_scan_gap", MISMATCH,
        "First scan elsewhere than the stated origin: 1 other postcode, 2 city, 3 region, 4 country.",
        "No acceptance scan with a place, or no stated origin.",
        "tracking_events.city shipments.ship_from_city", "2.1.b",
    ),
    _fact(
        "warehouse_gap", MISMATCH,
        "Stated origin not the registered warehouse: 1 other postcode, 2 city, 3 region, 4 country.",
        "Origin or warehouse not known.", "shipments.ship_from_city sellers.city", "2.1.b",
    ),
    _fact(
        "signed_by_other", MISMATCH,
        "1: signed by a person of another name than the recipient; a neighbour, locker or reception is 0.",
        "No signatory, or a name masked or in another script.",
        "tracking_events.signed_by orders.recipient_name", "2.1.b",
    ),
    _fact(
        "measured_weight_ratio", MISMATCH, "Grams the carrier measured over catalogue weight × quantity.",
        "Not weighed, catalogue weight unknown, sample, replacement or combined parcel.",
        "tracking_events.weight_g products.weight_g", "2.1.b",
    ),
    _fact(
        "declared_weight_ratio", MISMATCH, "Grams the carrier measured over grams the seller declared.",
        "Not weighed or not declared, sample, replacement or combined parcel.",
        "tracking_events.weight_g shipments.declared_weight_g", "2.1.b",
    ),
    _fact(
        "number_reuse_orders", INVALID,
        "Orders of other buyers at other addresses with the same tracking number within the recycling time.",
        "No number; a sample, replacement or exchange.", _NUMBER, "2.1.c", "snapshot",
    ),
    _fact(
        "point_seller_share", MISMATCH,
        "Share of the seller's orders that leave from this consignment point.",
        "The consignment point's postcode is not known.", "shipments.ship_from_postcode", "2.1.b",
        "snapshot", "point",
    ),
    _fact(
        "point_side_share", MISMATCH,
        "How far the point is a side door of the other sellers there: mean share of orders from elsewhere.",
        "No other seller uses the point, or it is not known.", "shipments.ship_from_postcode", "2.1.b",
        "snapshot", "point",
    ),
    _fact(
        "point_light_share", MISMATCH,
        "Share of the other sellers' parcels from the point that are far too light for their goods.",
        "No other seller's parcel from the point was weighed.",
        "shipments.ship_from_postcode tracking_events.weight_g products.weight_g", "2.1.b", "snapshot",
        "point",
    ),
    *(
        _fact(fact_name, clause, _HOW + what, null_means, needs, source, "snapshot")
        for fact_name, clause, what, null_means, needs, source in (
            ("number_invalid_surprise", INVALID, "a number that the carrier cannot have issued.",
             "As number_invalid.", _NUMBER, "2.1.c"),
            ("unscanned_surprise", INVALID, "said to be shipped, never scanned; same carrier, day, country.",
             "Not said to be shipped, cancelled, sample, replacement, or no number.", _SCANS, "2.1.c"),
            ("unconfirmed_surprise", INVALID, "said to be delivered without a delivery scan.",
             "Not said to be delivered, cancelled, sample, replacement, or no number.", _SCANS, "6.5"),
            ("no_shipment_surprise", INVALID, "delivered without any shipment; same category.",
             "Not said to be delivered, cancelled, combined, sample or replacement.",
             "shipments.order_id", "6.5"),
            ("early_scan_surprise", INVALID, "scanned so long before the order; same carrier and countries.",
             "As scan_before_order_hours; sample or replacement.", _SCANS, "2.1.c"),
            ("few_scans_surprise", INVALID, "delivered with so few scans; same carrier, day, lane.",
             "Not delivered; sample or replacement.", _SCANS, "2.1.c"),
            ("fast_transit_surprise", INVALID, "delivered so fast; same carrier, lane.",
             "As transit_hours; sample or replacement.", _SCANS, "2.1.c"),
            ("destination_surprise", MISMATCH, "delivered so far from ship-to; same carrier, region.",
             "As destination_gap; sample or replacement.", "tracking_events.city orders.ship_to_city",
             "2.1.b"),
            ("pickup_scan_surprise", MISMATCH, "first scanned so far from the stated origin.",
             "As pickup_scan_gap; sample or replacement.", "tracking_events.city shipments.ship_from_city",
             "2.1.b"),
            ("light_parcel_surprise", MISMATCH, "so much lighter than the product's other parcels.",
             "As measured_weight_ratio.", "tracking_events.weight_g products.weight_g", "2.1.b"),
            ("late_acceptance_surprise", INVALID, "accepted so late; same carrier, day, origin.",
             "As acceptance_days; sample or replacement.", _SCANS, "6.7"),
            ("signatory_surprise", MISMATCH, "one stranger signing at so many of the seller's addresses.",
             "As signed_by_other; sample or replacement.", "tracking_events.signed_by orders.recipient_name",
             "2.1.b"),
            ("trace_twin_surprise", INVALID, "so many parcels scanned at exactly the same intervals.",
             "Fewer than four scans.", _SCANS, "2.1.c"),
            ("delivered_together_surprise", INVALID, "so many addresses served in the same minute.",
             "Not delivered.", _SCANS, "2.1.c"),
            ("number_block_surprise", INVALID, "so many consecutive numbers on labels of different days.",
             "No number that ends in digits.", _NUMBER, "2.1.c"),
        )
    ),
)  # fmt: skip
