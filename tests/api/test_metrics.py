"""What Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from serving import Server

from api.examples import AN_ORDER


def samples(server: Server) -> dict[tuple[str, tuple[str, ...]], float]:
    """Sample name and label values → value."""
    with server.client("auditor") as client:
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_decisions_and_queues_are_measured(server: Server) -> None:
    before = samples(server)
    with server.client() as client:
        decided = [client.post("/v1/score", json=AN_ORDER).json()["decision"] for _ in range(3)]
        client.get("/v1/orders/some-id-or-other")
    after = samples(server)
    scored = ("truetrade_request_seconds_count", ("POST", "/v1/score", "200"))
    assert after[scored] - before.get(scored, 0) == 3
    missed = ("truetrade_request_seconds_count", ("GET", "/v1/orders/{order_id}", "404"))
    assert after[missed] - before.get(missed, 0) == 1
    of_band = ("truetrade_decisions_total", (decided[0],))
    assert after[of_band] - before.get(of_band, 0) == decided.count(decided[0])
    assert after["truetrade_queue_size", ("score",)] == 0


def test_addresses_that_do_not_exist_do_not_make_new_series(server: Server) -> None:
    with server.client() as client:
        for number in range(30):
            client.get(f"/v1/made-up-{number}")
            client.request(f"METHOD{number}", "/v1/score")
    names = {labels[1] for name, labels in samples(server) if name == "truetrade_request_seconds_count"}
    assert all("made-up" not in name for name in names)
    methods = {labels[0] for name, labels in samples(server) if name == "truetrade_request_seconds_count"}
    assert all(not method.startswith("METHOD") for method in methods)
