"""The reference pages under ``docs/``, made from what the code obeys.

``pytest tests/test_reference.py --write-golden`` writes them; without the flag it compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import typer

from detector.contract import CLAUSE_IDS
from detector.policy.detection import Rule
from detector.policy.schema import Policy
from detector.settings import Settings
from features.catalog import CATALOG
from features.declare import Feature
from features.keys import lookup_key

__all__ = ["commands_page", "features_page", "markdown_table", "rules_page", "settings_page"]

_ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*)\n((?:        .+\n?)+)", re.MULTILINE)


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Rows of text as a Markdown table."""
    names = list(header)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def features_page() -> str:
    """Every feature of the catalog: what it says, when it is unknown, what it needs."""
    parts = [
        "# Features",
        "One number per order. *Unknown* is never read as 0 or as no: a rule over it abstains. A `row` feature "
        "needs the order's own facts, a `window` feature the key's earlier orders, a `snapshot` feature a "
        "scan of all orders: the online service looks it up by the columns named behind it, as the last published "
        "scan knew it of the last order with these.",
    ]
    for entity, features in groupby(sorted(CATALOG.values(), key=_by_entity), key=lambda f: f.entity):
        parts += [f"## Of the {entity}", markdown_table(_FEATURE_COLUMNS, map(_feature_row, features))]
    return _page(parts)


_FEATURE_COLUMNS = ("feature", "meaning", "unknown when", "needs", "kind", "clause")


def _by_entity(feature: Feature) -> tuple[str, str]:
    return feature.entity, feature.name


def _feature_row(feature: Feature) -> list[str]:
    needs = ", ".join(f"`{need}`" for need in feature.needs) or "–"
    clause = f"{CLAUSE_IDS[feature.clause]} {feature.clause}" if feature.clause else "–"
    return [f"`{feature.name}`", feature.meaning, feature.null_means, needs, _kind(feature), clause]


def _kind(feature: Feature) -> str:
    return f"snapshot by {', '.join(lookup_key(feature))}" if feature.kind == "snapshot" else feature.kind


def rules_page(policy: Policy) -> str:
    """Every rule of a policy, by clause."""
    parts = [
        "# Rules of the default policy",
        "A rule fires where its condition over the [features](features.md) holds, and abstains where they are "
        "unknown. One hard rule, or two clauses, must speak before an order is held. Supporting rules count in "
        "full for the score and little among the reasons. Collective rules say that orders are alike, as those "
        "of fans and colleagues are: they count no more than what the order itself shows.",
    ]
    for clause, number in CLAUSE_IDS.items():
        mine = [rule for rule in policy.rule if rule.clause == clause]
        columns = ("rule", "when", "strength", "weight", "message")
        parts += [f"## {number} {clause.replace('_', ' ')}", markdown_table(columns, map(_rule_row, mine))]
    return _page(parts)


def _rule_row(rule: Rule) -> list[str]:
    marks = [name for name in ("supporting", "collective") if getattr(rule, name)]
    message = f"{rule.message.en}<br>{rule.message.zh}"
    return [
        f"`{rule.code}`",
        f"`{' '.join(rule.when.split())}`",
        ", ".join([rule.strength, *marks]),
        f"{rule.weight:g}",
        message,
    ]


def settings_page() -> str:
    """Every setting of the service, and the secrets that are read from the environment."""
    told = {
        names: " ".join(text.replace("``", "`").split())
        for names, text in _ATTRIBUTE.findall(Settings.__doc__ or "")
    }
    meanings = {name: text for names, text in told.items() for name in names.split(", ")}
    rows = [
        [f"`TRUETRADE_{name.upper()}`", _default(field.default), meanings[name]]
        for name, field in Settings.model_fields.items()
    ]
    rows += [[f"`{name}`", "–", meaning] for name, meaning in _SECRETS.items()]
    return _page(
        [
            "# Settings",
            "Read from the environment by the service and the commands.",
            markdown_table(("variable", "default", "meaning"), rows),
        ]
    )


def _default(value: object) -> str:
    return "–" if value is None or isinstance(value, dict) else f"`{value}`"


_SECRETS = {
    "TRUETRADE_MODEL_KEY": "Signs model bundles and verifies them; at least 16 characters. "
    "For `train` and `scan --model`.",
    "TRUETRADE_PSEUDONYM_KEY": "The pseudonym key itself, instead of the file; at least 16 characters.",
}


def commands_page(app: typer.Typer, name: str) -> str:
    """Every command of a command line with its arguments and options, as ``--help`` tells them."""
    parts = ["# Commands", "Exit status: 0 done, 1 failed with one clear line, 2 wrong usage."]
    for path, command in _commands(typer.main.get_command(app), name):
        rows = [_parameter_row(parameter) for parameter in command.params if parameter.name != "help"]
        parts += [f"## `{path}`", " ".join((command.help or "").split())]
        parts += [markdown_table(("parameter", "default", "meaning"), rows)] if rows else []
    return _page(parts)


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(words, command) for a command and all below it; a group without options of its own is left out."""
    below = getattr(command, "commands", {})
    if command.params or not below:
        yield path, command
    for name, child in below.items():
        yield from _commands(child, f"{path} {name}")


def _parameter_row(parameter: Any) -> list[str]:
    option = parameter.param_type_name == "option"
    names = (
        "`, `".join([*parameter.opts, *parameter.secondary_opts])
        if option
        else parameter.metavar or parameter.name.upper()
    )
    needed = "required" if parameter.required else "–"
    default = needed if parameter.default in (None, False, ()) else f"`{parameter.default}`"
    return [f"`{names}`", default, parameter.help or "–"]


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"
