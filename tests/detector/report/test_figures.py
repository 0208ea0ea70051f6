from __future__ import annotations

import itertools
import json
from datetime import timedelta

import plotly.graph_objects as go
import pytest
from report_builders import (
    START,
    a_market,
    a_ring,
    a_seller,
    an_anomaly,
    an_edge,
    an_order,
    report_data,
)

from detector.contract import CLAUSES
from detector.report import figures


def bars(figure: go.Figure) -> dict[str, list[int]]:
    horizontal = {trace.name: list(trace.x) for trace in figure.data if trace.orientation == "h"}
    return horizontal or {trace.name: list(trace.y) for trace in figure.data if trace.type == "bar"}


def test_scores_fall_into_bins_by_decision_and_unknown_ones_into_none() -> None:
    orders = report_data(
        orders=[
            an_order("a", score=0.0),
            an_order("b", score=0.019),
            an_order("c", score=0.55, decision="review"),
            an_order("d", score=1.0, decision="hold"),
            an_order("e", score=float("nan")),
        ]
    ).orders
    counts = bars(figures.score_distribution(orders))
    assert (counts["Allow"][0], counts["Review"][27], counts["Hold"][49]) == (2, 1, 1)
    assert sum(map(sum, counts.values())) == 4


def test_days_without_orders_count_as_none_and_have_no_share() -> None:
    rows = [
        an_order("a"),
        an_order("b", decision="hold"),
        an_order("c", created_at=START + timedelta(days=2)),
    ]
    figure = figures.orders_by_day(report_data(orders=rows).orders)
    assert bars(figure) == {"Suspected": [1, 0, 0], "Others": [1, 0, 1]}
    assert list(figure.data[2].y) == [50.0, None, 0.0]
    assert list(figure.data[0].x) == ["2025-03-01", "2025-03-02", "2025-03-03"]


def test_a_long_history_is_shown_by_week() -> None:
    rows = [an_order(str(day), created_at=START + timedelta(days=day)) for day in range(0, 730, 3)]
    figure = figures.orders_by_day(report_data(orders=rows).orders)
    assert len(figure.data[0].x) == 105
    assert sum(figure.data[1].y) == len(rows)
    assert "week" in figure.layout.title.text


def test_each_suspected_order_has_one_strongest_clause() -> None:
    rows = [
        an_order("a", decision="hold", clause_reviews=0.9, clause_abuse=0.4),
        an_order("b", decision="review", clause_abuse=0.4, clause_self_dealing=None),
        an_order("c", clause_reviews=0.9),
        an_order("d", decision="review"),
    ]
    counts = bars(figures.clauses(report_data(orders=rows).orders))
    by_clause = {name: dict(zip(CLAUSES, values, strict=True)) for name, values in counts.items()}
    assert by_clause["Strongest clause"] == dict.fromkeys(CLAUSES, 0) | {"reviews": 1, "abuse": 1}
    assert by_clause["Beside a stronger"] == dict.fromkeys(CLAUSES, 0) | {"abuse": 1}


def test_a_clause_that_no_order_was_judged_by_says_so() -> None:
    orders = report_data(orders=[an_order(decision="hold", clause_reviews=None, clause_abuse=1.0)]).orders
    assert "Reviews (2.1.e) – not judged" in figures.clauses(orders).data[0].y


def test_victims_and_sellers_without_recommendation_are_no_suspected_sellers() -> None:
    sellers = report_data(
        sellers=[
            a_seller("big", suspected_order_count=90),
            a_seller("victim", recommendation="watch", disposition_hint="possible_victim"),
            a_seller("watched", recommendation="watch", suspected_order_count=7),
            a_seller(
                "worst", recommendation="open_case", suspected_order_count=5, disposition_hint="suspect"
            ),
        ]
    ).sellers
    figure = figures.top_sellers(sellers)
    assert {trace.name: (trace.y, trace.x) for trace in figure.data} == {
        "Open a case": (("worst",), (5,)),
        "Watch": (("watched",), (7,)),
    }


def test_ring_network_draws_the_worst_rings_that_have_edges() -> None:
    rings = [a_ring(f"r{n}", suspicion=n / 10) for n in range(9)]
    edges = [an_edge(f"r{n}") for n in range(8)]
    data = report_data(rings=rings, edges=edges)
    figure = figures.ring_network(data.rings, data.ring_edges)
    titles = [note.text.split("<br>")[0] for note in figure.layout.annotations]
    assert titles == ["r7", "r6", "r5", "r4", "r3", "r2"]


def test_a_huge_ring_is_drawn_by_its_strongest_pairs() -> None:
    pairs = itertools.product(range(40), range(40))
    edges = [an_edge(buyer_id=f"b{b}", seller_id=f"s{s}", score=0.99 if b < 3 else 0.1) for b, s in pairs]
    data = report_data(rings=[a_ring()], edges=edges)
    figure = figures.ring_network(data.rings, data.ring_edges)
    drawn = sum(sum(x is None for x in trace.x) for trace in figure.data if trace.mode == "lines")
    strong = [trace for trace in figure.data if trace.mode == "lines" and trace.line.color == "#d14b57"]
    assert drawn == 250
    assert sum(sum(x is None for x in trace.x) for trace in strong) == 120


def test_tracking_anomalies_are_counted_by_kind_and_day() -> None:
    rows = [an_anomaly(order_id=str(n), seller_id=f"s{n % 2}") for n in range(3)]
    rows += [
        an_anomaly(at=START + timedelta(days=1)),
        an_anomaly(code="TOO_FAST", clause="tracking_mismatch"),
    ]
    figure = figures.tracking_timeline(report_data(anomalies=rows).anomalies)
    marks = {
        (trace.name, kind, day): tuple(number)
        for trace in figure.data
        for kind, day, number in zip(trace.y, trace.x, trace.customdata, strict=True)
    }
    assert marks == {
        ("Invalid tracking (2.1.c)", "Check digit wrong", "2025-03-01"): (3, 2),
        ("Invalid tracking (2.1.c)", "Check digit wrong", "2025-03-02"): (1, 1),
        ("Tracking mismatch (2.1.b)", "Too fast", "2025-03-01"): (1, 1),
    }


def test_rare_kinds_of_anomalies_share_one_line() -> None:
    rows = [an_anomaly(code=f"K{n:02d}") for n in range(14) for _ in range(20 - n)]
    figure = figures.tracking_timeline(report_data(anomalies=rows).anomalies)
    assert "Other kinds" in figure.data[0].y
    assert len(set(figure.data[0].y)) == 11


EMPTY = report_data()


@pytest.mark.parametrize(
    "figure",
    [
        figures.score_distribution(EMPTY.orders),
        figures.orders_by_day(EMPTY.orders),
        figures.clauses(EMPTY.orders),
        figures.clauses(report_data(orders=[an_order()]).orders),
        figures.top_sellers(EMPTY.sellers),
        figures.ring_network(EMPTY.rings, EMPTY.ring_edges),
        figures.tracking_timeline(EMPTY.anomalies),
    ],
)
def test_nothing_to_draw_is_said_in_words(figure: go.Figure) -> None:
    assert not figure.data
    assert figure.layout.annotations[0].text == figure.layout.meta["description"]


def test_foreign_names_are_text_in_labels() -> None:
    nasty = '<a href="javascript:alert(1)">x</a>'
    data = report_data(
        sellers=[a_seller(nasty, recommendation="watch", suspected_order_count=1)],
        rings=[a_ring(nasty), a_ring("r2")],
        edges=[an_edge(nasty, buyer_id=nasty, seller_id=nasty), an_edge("r2")],
        anomalies=[an_anomaly(code=nasty)],
    )
    drawn = [
        figures.top_sellers(data.sellers),
        figures.ring_network(data.rings, data.ring_edges),
        figures.tracking_timeline(data.anomalies),
    ]
    for figure in drawn:
        shown = figure.to_plotly_json()
        shown["layout"].pop("meta")
        assert "<a " not in json.dumps(shown).lower()


def test_figures_are_the_same_at_every_run_and_hold_few_marks() -> None:
    data = a_market(orders=1500)

    def made() -> list[str]:
        return [
            figure.to_json()
            for figure in (
                figures.score_distribution(data.orders),
                figures.orders_by_day(data.orders),
                figures.clauses(data.orders),
                figures.top_sellers(data.sellers),
                figures.ring_network(data.rings, data.ring_edges),
                figures.tracking_timeline(data.anomalies),
            )
        ]

    once = made()
    assert once == made()
    assert max(map(len, once)) < 150_000
