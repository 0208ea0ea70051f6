"""The OpenAPI document: what FastAPI derives, with who may call and how every operation can fail."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from api.errors import MEDIA_TYPE
from api.idempotency import PARAMETER as IDEMPOTENCY_KEY
from api.roles import ALLOWED

__all__ = ["Described", "failure"]

_GUARDED = (401, 403, 429)
_ANYWHERE = (500, 503)
_WITH_PARAMETERS = (404, 422)
_WITH_BODY = (400, 413, 415, 422)

_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": "about:blank, or urn:truetrade:error: and the error's name",
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "error": {"type": "string", "description": "The error's name, to be told apart by programs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "name of the path or query parameter"},
                },
            },
        },
    },
}


class Described(FastAPI):
    """An app whose OpenAPI document says what is asked of every caller, and how each operation can fail."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        components = document.setdefault("components", {})
        if "securitySchemes" not in components:
            _complete(document, components)
        return document


def _complete(document: dict[str, Any], components: dict[str, Any]) -> None:
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # ours are problems
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "API key, or a token of the OIDC issuer",
        }
    }
    for name, operation in _operations(document):
        if name in ALLOWED:
            operation["security"] = [{"bearer": []}]
            operation["x-roles"] = sorted(ALLOWED[name])
        if name.startswith("POST /v1/"):
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        for status in _failures(name, operation):
            operation["responses"][str(status)] = failure(status)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _failures(name: str, operation: dict[str, Any]) -> set[int]:
    """The statuses with which an operation can fail, besides those that its route declares."""
    found = {*_ANYWHERE, *(_GUARDED if name in ALLOWED else ())}
    if any(parameter["in"] != "header" for parameter in operation.get("parameters", ())):
        found |= set(_WITH_PARAMETERS)
    if "requestBody" in operation:
        found |= set(_WITH_BODY)
    return found


def failure(status: int) -> dict[str, Any]:
    """How an operation documents that it can answer ``status``."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
