"""A thin Python client of the service: typed answers, retries that cannot do a thing twice."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic_core import to_json

from api.answers import (
    BulkAnswer,
    DecisionAnswer,
    ModelAnswer,
    NodeLinkAnswer,
    OrderAnswer,
    RingAnswer,
    Scored,
    ScoredBatch,
    SellerAnswer,
)
from detector.errors import TrueTradeError
from detector.policy.schema import Policy

__all__ = ["Client", "RequestFailed"]

_TRIES = 5
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0
_PASSING = {429, 502, 503, 504}
"""Statuses after which the same request may succeed."""


class RequestFailed(TrueTradeError):
    """The service refused a request, or failed.

    ``status`` is the HTTP status, ``error`` the error's name (None where the status says it all),
    ``problem`` the whole of the problem details.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail', 'no detail')}")
        self.status, self.problem = status, problem
        self.error: str | None = problem.get("error")


class Client:
    """Calls one service with one key.

    Every POST carries an idempotency key, made here unless given, that stays the same over its retries: an
    answer that was lost on the way is given again, and nothing is done twice. Refused connections, lost
    answers and the statuses 429, 502, 503 and 504 are retried with growing waits, at least as long as
    ``Retry-After`` asks for; five tries in all.

    >>> with Client("http://127.0.0.1:8000", key) as client:  # doctest: +SKIP
    ...     client.score({"order_id": "o1", ...}).decision
    'allow'
    """

    def __init__(
        self, address: str, key: str, *, timeout: float = 30.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def score(
        self, order: Mapping[str, Any], *, store: bool = True, idempotency_key: str | None = None
    ) -> Scored:
        """Score one order: contract columns and ``items``, ``shipment``, ``tracking_events``, ``review``."""
        answer = self._post("/v1/score", order, idempotency_key, store=store)
        return Scored.model_validate_json(answer)

    def score_batch(
        self, orders: Iterable[Mapping[str, Any]], *, store: bool = True, idempotency_key: str | None = None
    ) -> ScoredBatch:
        """Score up to 1,000 orders in one transaction."""
        answer = self._post("/v1/score/batch", {"orders": list(orders)}, idempotency_key, store=store)
        return ScoredBatch.model_validate_json(answer)

    def add(
        self, table: str, rows: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> BulkAnswer:
        """Tell up to 1,000 rows of ``orders``, ``shipments``, ``tracking_events``, ``reviews``, ``reports``
        or ``labels``.
        """
        path = f"/v1/{table.replace('_', '-')}"
        return BulkAnswer.model_validate_json(self._post(path, {table: list(rows)}, idempotency_key))

    def decision(self, decision_id: str) -> DecisionAnswer:
        """One decision."""
        return DecisionAnswer.model_validate_json(self._get("/v1/decisions/{}", decision_id))

    def order(self, order_id: str, *, limit: int = 50, cursor: str | None = None) -> OrderAnswer:
        """A page of the decisions on one order, the latest first."""
        page = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        return OrderAnswer.model_validate_json(self._get("/v1/orders/{}", order_id, **page))

    def seller(self, seller_id: str) -> SellerAnswer:
        """The last published scan's verdict on a seller."""
        return SellerAnswer.model_validate_json(self._get("/v1/sellers/{}", seller_id))

    def ring(self, ring_id: str) -> RingAnswer:
        """A ring of the last published scan, and who bought where."""
        return RingAnswer.model_validate_json(self._get("/v1/rings/{}", ring_id))

    def ring_graph(self, ring_id: str) -> NodeLinkAnswer:
        """A ring as ``networkx.node_link_graph(answer.model_dump(), edges="edges")`` reads it."""
        answer = self._get("/v1/rings/{}", ring_id, format="node_link")
        return NodeLinkAnswer.model_validate_json(answer)

    def policy(self) -> Policy:
        """The policy that decisions are made by."""
        return Policy.model_validate_json(self._get("/v1/policy"))

    def model(self) -> ModelAnswer:
        """Which model scores the orders."""
        return ModelAnswer.model_validate_json(self._get("/v1/model"))

    def _get(self, path: str, *ids: str, **parameters: Any) -> bytes:
        address = path.format(*(quote(part, safe="") for part in ids))
        return self._send(self._http.build_request("GET", address, params=parameters))

    def _post(self, path: str, body: Any, idempotency_key: str | None, **parameters: bool) -> bytes:
        params = {name: str(value).lower() for name, value in parameters.items()}
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        content = to_json(body)
        return self._send(
            self._http.build_request("POST", path, params=params, headers=headers, content=content)
        )

    def _send(self, request: httpx.Request) -> bytes:
        for tried in range(1, _TRIES + 1):
            last = tried == _TRIES
            try:
                answer = self._http.send(request)
            except httpx.TransportError:
                if last:
                    raise
                self._wait(tried, 0.0)
                continue
            if answer.is_success:
                return answer.content
            if last or answer.status_code not in _PASSING:
                raise RequestFailed(answer.status_code, _problem(answer))
            self._wait(tried, _retry_after(answer))
        raise AssertionError("unreachable")

    def _wait(self, tried: int, asked_seconds: float) -> None:
        """Twice as long after each try, shortened by chance, so that many clients do not come at once."""
        growing = min(_FIRST_WAIT_SECONDS * 2 ** (tried - 1), _LONGEST_WAIT_SECONDS)
        self._sleep(max(asked_seconds, growing * random.uniform(0.5, 1.0)))


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        found: Mapping[str, Any] = answer.json()
        return found
    return {"status": answer.status_code, "detail": answer.reason_phrase}


def _retry_after(answer: httpx.Response) -> float:
    given = answer.headers.get("retry-after", "0")
    return min(float(given), _LONGEST_WAIT_SECONDS) if given.isdecimal() else 0.0
