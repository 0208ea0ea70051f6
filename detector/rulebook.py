"""A policy file whose rules are checked against the feature catalog."""

from __future__ import annotations

from pathlib import Path

from detector.policy.loader import DEFAULT_POLICY, load_policy, policy_error
from detector.policy.positions import Path as KeyPath
from detector.policy.schema import Policy
from detector.rules import RuleSyntaxError, compile_expression
from features.catalog import OBSERVED
from features.neighbours import NEIGHBOURHOODS

__all__ = ["load_rulebook"]


def load_rulebook(path: Path | None) -> Policy:
    """Load a policy and check every rule; None takes the default one.

    Apart from ``load_policy``, which enforcement uses, because the catalog brings the engines with it.

    Raises
    ------
    PolicyError
        Naming file, line, the offending span and the nearest feature names, for every wrong rule at once.
    """
    policy = load_policy(path)
    found = [*_rules(policy), *_context(policy)]
    if found:
        file = path if path is not None else DEFAULT_POLICY
        raise policy_error(str(file), file.read_text(encoding="utf-8"), found)
    return policy


def _rules(policy: Policy) -> list[tuple[KeyPath, str]]:
    found: list[tuple[KeyPath, str]] = []
    codes: set[str] = set()
    for number, rule in enumerate(policy.rule):
        if rule.code in codes:
            found.append((("rule", number, "code"), "another rule has this code; codes should be unique"))
        codes.add(rule.code)
        try:
            compile_expression(rule.when, OBSERVED)
        except RuleSyntaxError as error:
            found.append((("rule", number, "when"), str(error)))
    return found


def _context(policy: Policy) -> list[tuple[KeyPath, str]]:
    known = {hood.name for hood in NEIGHBOURHOODS}
    return [
        (("detection", "fusion", "context", name), f"no neighbourhood; there is {', '.join(sorted(known))}")
        for name in policy.detection.fusion.context
        if name not in known
    ]
