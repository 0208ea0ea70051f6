"""Reads the scenario files: a compact log and what a person expects of it.

A log line is ``INSTANT ROLE[:ACTOR] COMMAND ARGUMENTS``, with the arguments in the order shown in
``_ARGUMENTS`` and ``field=JSON`` for anything else; its idempotency key is ``k`` and its line number, from 1.
``violation V1 C1 serious [S1]`` stands for open_case and decide_case at the same instant. A scenario without
a log has JSON ``lines`` instead.

An expectation names an instant and then only what it asserts: violations, cases and holds by id, a seller's
``in_force``, ``scheduled``, ``proposed`` measures (``MEASURE VIOLATION FROM UNTIL``), ``standing``
(occurrences, points), and per currency its balances (payable, held, confiscated, compensated); ``notices``,
``entries``, and ``refused`` (``KEY ERROR``), which is asserted always and is empty when it is left out.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from enforcement_builders import ACTORS, FIELDS, SCENARIOS, a_policy

from detector.enforcement.days import format_instant, parse_instant
from detector.policy.schema import Policy

_ARGUMENTS = {
    "credit_proceeds": ("currency", "amount_minor"),
    "open_case": ("case_id", "seller_id"),
    "extend_case": ("case_id",),
    "place_hold": ("hold_id", "case_id", "scope"),
    "decide_case": ("case_id", "outcome", "severity", "violation_id"),
    "approve_measures": ("violation_id",),
    "complete_investigation": ("case_id",),
    "establish_loss": ("case_id", "losses"),
    "settle_hold": ("hold_id", "remainder"),
    "file_appeal": ("appeal_id", "violation_id", "documents"),
    "decide_appeal": ("appeal_id", "outcome"),
    "waive_appeal": ("violation_id",),
    "report_overdue": (),
}
_VIEW_OF = {"V": "violations", "C": "cases", "H": "holds"}


@dataclass(frozen=True)
class Scenario:
    name: str
    log: bytes
    policy: Policy
    expectations: tuple[dict[str, Any], ...] = field(default=())


def scenarios() -> Iterator[Scenario]:
    """Every scenario of every file, in order."""
    for file in sorted(SCENARIOS.glob("[!_]*.toml")):
        for data in tomllib.loads(file.read_text(encoding="utf-8"))["scenario"]:
            policy = a_policy(data.get("zone", "UTC"), **data.get("policy", {}))
            yield Scenario(f"{file.stem}: {data['name']}", _log(data), policy, tuple(data["expect"]))


def _log(data: dict[str, Any]) -> bytes:
    if "lines" in data:
        return str(data["lines"]).encode()
    lines = str(data["log"]).strip().split("\n")
    commands = [command for number, line in enumerate(lines, 1) for command in _commands(number, line)]
    return "\n".join(json.dumps(command) for command in commands).encode()


def _commands(number: int, line: str) -> Iterator[dict[str, Any]]:
    at, sender, kind, *arguments = line.split()
    if kind == "violation":
        violation_id, case_id, severity, *seller = arguments
        yield from _commands(number, f"{at} analyst open_case {case_id} {' '.join(seller)} key=k{number}open")
        yield from _commands(
            number, f"{at} {sender} decide_case {case_id} violation {severity} {violation_id}"
        )
        return
    role, _, actor = sender.partition(":")
    plain = [argument for argument in arguments if "=" not in argument]
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    yield {
        "at": at,
        "type": kind,
        "key": f"k{number}",
        "actor": {"id": actor or ACTORS[role], "role": role},
        **_defaults(kind),
        **{name: _argument(name, text) for name, text in zip(_ARGUMENTS[kind], plain, strict=False)},
        **{name: _json(text) for name, text in named.items()},
    }


def _defaults(kind: str) -> dict[str, Any]:
    """A seller id, a reason and the like; what a line should say itself has no default."""
    given = {name: value for name, value in FIELDS[kind].items() if name not in _ARGUMENTS[kind]}
    return given | ({"seller_id": "S1"} if kind == "open_case" else {})


def _argument(name: str, text: str) -> Any:
    if name == "losses":
        return [_loss(part) for part in text.split(",")]
    if name == "documents":
        return [] if text == "-" else text.split(",")
    if name == "scope" and text != "all":
        currency, amount = text.split(":")
        return {"currency": currency, "amount_minor": int(amount)}
    if name == "amount_minor":
        return int(text)
    return None if text == "-" else text


def _loss(text: str) -> dict[str, Any]:
    """``USD:700>buyer:B1``."""
    money, _, payee = text.partition(">")
    currency, amount = money.split(":")
    return {"to": payee, "currency": currency, "amount_minor": int(amount)}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def asserted(expectation: dict[str, Any]) -> dict[str, Any]:
    """What the expectation says, flattened: path → value, with instants in one form."""
    flat: dict[str, Any] = {"refused": []}
    for name, value in expectation.items():
        if name != "as_of":
            flat |= (
                {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value}
            )
    return {path: _normal(value) for path, value in flat.items()}


def _normal(value: Any) -> Any:
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if not isinstance(value, str):
        return value
    return " ".join(_token(token) for token in value.split(" "))


def _token(token: str) -> str:
    is_instant = token[:4].isdigit() and "T" in token
    return format_instant(parse_instant(token)) if is_instant else token


def observed(path: str, view: dict[str, Any]) -> Any:
    """What the state says at the path of an expectation, in the expectation's words."""
    if path == "refused":
        return [f"{refusal['key']} {refusal['error']}" for refusal in view["refused"]]
    if path == "notices":
        return [f"{n['at']} {n['seller_id']} {n['kind']} {n['violation_id'] or '-'}" for n in view["notices"]]
    if path == "entries":
        return view["ledger"]["entries"]
    subject, _, attribute = path.partition(".")
    if subject[0] != "S":
        return _of_subject(view[_VIEW_OF[subject[0]]][subject], attribute)
    return _of_seller(view["sellers"][subject], attribute)


def _of_subject(subject: dict[str, Any], attribute: str) -> Any:
    value = subject[attribute]
    if attribute == "appeals":
        return [f"{appeal['appeal_id']} {appeal['stage']} {appeal['state']}" for appeal in value]
    return "-" if value is None else value


def _of_seller(seller: dict[str, Any], attribute: str) -> Any:
    if attribute == "standing":
        return [seller["standing"]["occurrences"], seller["standing"]["points"]]
    if attribute in ("in_force", "scheduled", "proposed"):
        return [
            f"{m['measure']} {m['violation_id']} {m['from'] or '-'} {m['until'] or '-'}"
            for m in seller[f"measures_{attribute}"]
        ]
    if attribute not in seller["balances"]:
        return "-"
    return [seller["balances"][attribute][a] for a in ("payable", "held", "confiscated", "compensated")]


def instant(text: str) -> datetime:
    return parse_instant(text)


__all__ = ["Scenario", "asserted", "instant", "observed", "scenarios"]
