"""Traces arrive at a real collector's address, and only where one is configured."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from serving import prepared, running

pytest.importorskip("opentelemetry.sdk", reason="the extra truetrade[otel] is not installed")


def test_a_request_is_a_span_without_what_was_sent(tmp_path: Path) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=collector.serve_forever, daemon=True).start()
    url = f"sqlite:///{tmp_path / 'store.db'}"
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_SERVICE_NAME": "truetrade",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    with running(url, prepared(url), tmp_path, environment=settings) as server, server.client() as client:
        client.post("/v1/score", json={"order_id": "secret-Zq7"})
        end = time.monotonic() + 20
        while not any(b"/v1/score" in body for _, body in received) and time.monotonic() < end:
            time.sleep(0.1)
    collector.shutdown()
    collector.server_close()
    spans = b"".join(body for path, body in received if path == "/v1/traces")
    assert b"truetrade" in spans
    assert b"/v1/score" in spans
    assert b"secret-Zq7" not in spans
