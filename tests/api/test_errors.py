"""Every error is problem details with the request's id, and tells nobody what it should not."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from serving import Server, prepared, running
from sqlalchemy import create_engine, make_url, text

from api.app import create_app
from api.errors import STATUS, status_of
from detector.enforcement.refusals import REFUSALS
from detector.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/healthz/", 404),
        ("GET", "/docs", 404),
        ("DELETE", "/healthz", 405),
        ("OPTIONS", "/v1/score", 405),
        ("GET", "/v1/score", 405),
        ("TRACE", "/v1/score", 405),
    ],
)
def test_an_address_or_method_that_is_not_there_is_a_problem(
    server: Server, method: str, path: str, status: int
) -> None:
    with server.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) >= {"type", "title", "status", "detail", "instance", "request_id"}
    assert (problem["type"], problem["instance"]) == ("about:blank", path)
    assert ("allow" in answer.headers) == (status == 405)


def test_a_given_request_id_is_kept_and_a_strange_one_replaced(server: Server) -> None:
    with server.client() as client:
        kept = client.get("/v1/nothing", headers={"X-Request-ID": "order-7.b_2"})
        assert kept.headers["x-request-id"] == kept.json()["request_id"] == "order-7.b_2"
        for strange in ("a b", "x" * 65, "<script>", ""):
            made = client.get("/healthz", headers={"X-Request-ID": strange}).headers["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{16}", made)


def test_ids_of_two_requests_differ(server: Server) -> None:
    with server.client() as client:
        assert len({client.get("/healthz").headers["x-request-id"] for _ in range(20)}) == 20


@pytest.mark.parametrize("cursor", ["%%%", "aGVsbG8", "bnVsbA", "W3t9XQ", "x" * 2001])
def test_a_cursor_that_no_page_gave_is_refused(server: Server, cursor: str) -> None:
    with server.client() as client:
        answer = client.get("/v1/orders/o-1", params={"cursor": cursor})
    assert answer.status_code == 422


@pytest.mark.parametrize("key", ["", "x" * 201, "clé"])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(server: Server, key: str) -> None:
    with server.client() as client:
        answer = client.post("/v1/score", json={}, headers={"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code in (400, 422)


def test_an_error_nobody_expected_is_a_500_without_its_message(
    tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("boom")
    url = f"sqlite:///{folder / 'store.db'}"
    prepared(url)
    app = create_app(Settings(database_url=url, pseudonym_key_file=folder / "key"))

    @app.get("/boom")
    def boom() -> None:
        raise RuntimeError("the phone is +49 170 1234567")

    async def ask() -> httpx.Response:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client,
        ):
            return await client.get("/boom")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "1234567" not in answer.text
    logged = capfd.readouterr().out
    assert "RuntimeError" in logged
    assert "1234567" not in logged


def test_every_refusal_of_the_contract_has_a_status_of_its_own_kind() -> None:
    statuses = {kind.__name__: int(status_of(kind.__new__(kind))) for kind in REFUSALS}
    assert set(statuses.values()) <= {403, 404, 409, 422}
    assert statuses["RoleNotAllowed"] == 403
    assert statuses["UnknownSubject"] == 404
    assert statuses["InvalidCommand"] == 422
    assert statuses["AppealWindowClosed"] == 409
    assert all(400 <= status < 600 for status in STATUS.values())


def test_a_database_that_goes_away_is_a_503_and_its_return_is_noticed(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    admin = create_engine(
        make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE goes_away"))
    url = make_url(postgres_server).set(database="goes_away").render_as_string(hide_password=False)
    with running(url, prepared(url), tmp_path_factory.mktemp("away")) as server, server.client() as client:
        assert client.get("/readyz").status_code == 200
        with admin.connect() as connection:
            connection.execute(text("ALTER DATABASE goes_away ALLOW_CONNECTIONS false"))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'goes_away'")
            )
        for path in ("/readyz", "/v1/decisions/d-1"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert "127.0.0.1" not in answer.text
        assert client.get("/healthz").status_code == 200
        with admin.connect() as connection:
            connection.execute(text("ALTER DATABASE goes_away ALLOW_CONNECTIONS true"))
        assert client.get("/readyz").status_code == 200
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE goes_away WITH (FORCE)"))
    admin.dispose()
