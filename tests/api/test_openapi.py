"""The OpenAPI document: its examples work, and nothing that it allows breaks the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import meta, validator_for
from serving import Server, prepared, running

from api.app import create_app
from detector.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def _examples() -> list[tuple[str, str, Any]]:
    return [
        (path, name, example["value"])
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        for media in operation.get("requestBody", {}).get("content", {}).values()
        for name, example in media.get("examples", {}).items()
    ]


def test_every_body_is_described_by_a_valid_schema() -> None:
    bodies = [
        media["schema"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for media in operation.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(bodies) > 10
    assert [body for body in bodies if not meta.is_valid(body)] == []


def test_the_document_is_openapi_3_1_and_every_operation_says_how_it_fails() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            failures = {status for status in operation["responses"] if status >= "4"}
            assert {"500", "503"} <= failures, path
            for status in failures:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(("path", "name", "body"), [e for e in _examples() if "{" not in e[0]])
def test_an_example_is_answered_as_documented(server: Server, path: str, name: str, body: Any) -> None:
    operation = DOCUMENT["paths"][path]["post"]
    with server.client(operation["x-roles"][0]) as client:
        answer = client.post(path, json=body)
    documented = operation["responses"][str(answer.status_code)]["content"]
    (media_type,) = documented
    assert answer.headers["content-type"] == media_type
    schema = documented[media_type]["schema"] | {"components": DOCUMENT["components"]}
    validator_for(schema).validate(answer.json())
    if path in SCORING:
        assert answer.status_code == 200


SCORING = {
    path for path, _, _ in _examples() if DOCUMENT["paths"][path]["post"]["tags"][0] in ("score", "facts")
}


def test_every_scoring_post_has_an_example() -> None:
    assert {"/v1/score", "/v1/score/batch", "/v1/orders", "/v1/tracking-events", "/v1/labels"} <= SCORING


@pytest.mark.fuzz
@pytest.mark.parametrize("role", ["admin", "approver", "seller_centre"])
def test_schemathesis_finds_no_5xx_and_no_undocumented_answer(
    postgres_database: str, tmp_path: Path, role: str
) -> None:
    """On PostgreSQL, which is stricter about texts; as roles that between them may call every route."""
    with running(postgres_database, prepared(postgres_database), tmp_path) as server:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.address}/openapi.json"),
            *("--header", f"Authorization: Bearer {server.keys[role]}"),
            *("--checks", CHECKS, "--max-examples", "25", "--seed", "1", "--continue-on-failure"),
            *("--phases", "examples,coverage,fuzzing", "--request-timeout", "30", "--no-color"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=os.environ, timeout=1500, check=False
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert "failure" not in {json.loads(line)["event"] for line in server.log.splitlines()}
