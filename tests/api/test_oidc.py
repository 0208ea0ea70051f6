"""Log-in of people: tokens that a real issuer on the loopback signs, and every way in which one can be wrong."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from serving import Server, logged, prepared, running

ROLES = {"risk-auditors": "auditor", "risk-analysts": "analyst"}


class Issuer:
    """An identity provider: discovery document and key set over HTTP, tokens on demand."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})]
        self.reachable = True
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(issuer.documents.get(self.path)).encode()
                self.send_response(200 if issuer.reachable and self.path in issuer.documents else 503)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def documents(self) -> dict[str, Any]:
        public = KeySet(list(self.keys)).as_dict(private=False)
        about = {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        return {"/.well-known/openid-configuration": about, "/keys": public}

    def token(self, key: Any = None, algorithm: str = "RS256", **changes: Any) -> str:
        """A good token for an auditor, with changed claims (None: left out)."""
        key = key or self.keys[0]
        claims: dict[str, Any] = {"iss": self.address, "aud": "truetrade", "sub": "u-7", "name": "Ada"}
        claims |= {"exp": int(time.time()) + 300, "groups": ["everyone", "risk-auditors"]} | changes
        header = {"alg": algorithm, "kid": key.kid}
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, given, key, algorithms=[algorithm])


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(scope="module")
def service(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("oidc")
    url = f"sqlite:///{folder / 'store.db'}"
    environment = {
        "TRUETRADE_OIDC_ISSUER": issuer.address,
        "TRUETRADE_OIDC_ROLE_CLAIM": "groups",
        "TRUETRADE_OIDC_ROLES": json.dumps(ROLES),
    }
    with running(url, prepared(url), folder, environment=environment) as found:
        yield found


def ask(service: Server, token: str) -> httpx.Response:
    """Ask for what an auditor may see."""
    return httpx.get(f"{service.address}/metrics", headers={"Authorization": f"Bearer {token}"})


def test_a_person_with_a_mapped_role_is_let_in(service: Server, issuer: Issuer) -> None:
    assert ask(service, issuer.token()).status_code == 200
    assert ask(service, issuer.token(aud=["other", "truetrade"])).status_code == 200
    assert ask(service, issuer.token(groups="risk-auditors")).status_code == 200
    assert logged(service, caller="oidc:u-7")["status"] == 200


def test_the_role_of_the_claim_decides(service: Server, issuer: Issuer) -> None:
    refused = ask(service, issuer.token(groups=["risk-analysts"]))
    assert refused.status_code == 403
    assert "analyst" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "another-service"}, "aud"),
        ({"aud": None}, "aud"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"exp": 1}, "exp"),
        ({"exp": None}, "exp"),
        ({"nbf": 2**33}, "nbf"),
        ({"sub": None}, "sub"),
        ({"groups": None}, "no role"),
        ({"groups": ["everyone"]}, "no role"),
        ({"groups": ["risk-analysts", "risk-auditors"]}, "two roles"),
        ({"groups": {"risk-auditors": True}}, "no list"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    service: Server, issuer: Issuer, changes: dict[str, Any], why: str
) -> None:
    assert ask(service, issuer.token(**changes)).status_code == 401, why


def test_a_token_that_others_signed_is_refused(service: Server, issuer: Issuer) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
    assert ask(service, issuer.token(key=stranger)).status_code == 401
    unknown = ECKey.generate_key("P-256", {"kid": "unknown"})
    assert ask(service, issuer.token(key=unknown, algorithm="ES256")).status_code == 401


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(service: Server, issuer: Issuer) -> None:
    _, payload, _ = issuer.token().split(".")
    header = urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa"}').decode().rstrip("=")
    signed = hmac.digest(issuer.keys[0].as_pem(private=False), f"{header}.{payload}".encode(), "sha256")
    token = f"{header}.{payload}.{urlsafe_b64encode(signed).decode().rstrip('=')}"
    assert ask(service, token).status_code == 401


@pytest.mark.parametrize("token", ["a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "x" * 9000])
def test_what_is_no_signed_token_is_refused(service: Server, token: str) -> None:
    assert ask(service, token).status_code == 401


def test_an_issuer_that_does_not_answer_is_a_503(
    issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("unreachable")
    url = f"sqlite:///{folder / 'store.db'}"
    environment = {"TRUETRADE_OIDC_ISSUER": "http://127.0.0.1:9"}
    with running(url, prepared(url), folder, environment=environment) as service:
        answer = ask(service, issuer.token())
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"
        with service.client("auditor") as client:
            assert client.get("/metrics").status_code == 200


@pytest.mark.slow
def test_new_keys_of_the_issuer_are_fetched(service: Server, issuer: Issuer) -> None:
    assert ask(service, issuer.token()).status_code == 200
    issuer.keys = [ECKey.generate_key("P-256", {"kid": "next", "use": "sig"})]
    end = time.monotonic() + 15
    while (status := ask(service, issuer.token(algorithm="ES256")).status_code) == 401:
        assert time.monotonic() < end
        time.sleep(1)
    assert status == 200
