"""Which role may do what: one line per operation.
``docs/api-roles.md`` holds the table that ``python -m api.roles`` prints.

A route that is not listed here does not start (``api/routing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.enforcement.commands import Role as ActorRole
from detector.enforcement.transitions import ROLES as COMMAND_ROLES
from detector.roles import ROLES, Role

__all__ = ["ACTOR_ROLE", "ALLOWED", "PUBLIC", "table_markdown"]


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


ACTOR_ROLE: Mapping[Role, ActorRole] = {
    "ingest": "system",
    "admin": "system",
    "analyst": "analyst",
    "enforcer": "enforcer",
    "approver": "approver",
    "seller_centre": "seller",
}
"""Role of a caller → role in which it gives the commands of enforcement; who is not listed gives none."""


def _givers(command: str) -> frozenset[Role]:
    """Those whose role in enforcement may give the command."""
    return frozenset(role for role, acts in ACTOR_ROLE.items() if acts in COMMAND_ROLES[command])


_FACTS = _roles("ingest", "admin")
_READERS = _roles("scorer", "analyst", "enforcer", "approver", "auditor", "admin")
_CASEWORK = _roles("analyst", "enforcer", "approver")
_LOOKING = _CASEWORK | _roles("auditor", "admin")

ALLOWED: Mapping[str, frozenset[Role]] = {
    "POST /v1/score": _roles("scorer", "admin"),
    "POST /v1/score/batch": _roles("scorer", "admin"),
    "POST /v1/orders": _FACTS,
    "POST /v1/shipments": _FACTS,
    "POST /v1/tracking-events": _FACTS,
    "POST /v1/reviews": _FACTS,
    "POST /v1/reports": _roles("ingest", "seller_centre", "analyst", "enforcer", "approver", "admin"),
    "POST /v1/labels": _roles("ingest", "analyst", "enforcer", "approver", "admin"),
    "GET /v1/decisions/{decision_id}": _READERS,
    "GET /v1/orders/{order_id}": _READERS,
    "GET /v1/sellers/{seller_id}": _LOOKING,
    "GET /v1/rings/{ring_id}": _LOOKING,
    "GET /v1/policy": _READERS,
    "GET /v1/model": _READERS,
    "GET /v1/cases": _LOOKING,
    "GET /v1/cases/{case_id}": _LOOKING,
    "PATCH /v1/cases/{case_id}": _CASEWORK,
    "POST /v1/cases/{case_id}/notes": _CASEWORK,
    "POST /v1/cases": _givers("open_case"),
    "POST /v1/cases/{case_id}/evidence": _givers("extend_case"),
    "POST /v1/cases/{case_id}/decision": _givers("decide_case"),
    "POST /v1/cases/{case_id}/completion": _givers("complete_investigation"),
    "POST /v1/cases/{case_id}/losses": _givers("establish_loss"),
    "GET /v1/violations": _LOOKING,
    "GET /v1/violations/{violation_id}": _LOOKING,
    "POST /v1/violations/{violation_id}/approval": _givers("approve_measures"),
    "POST /v1/violations/{violation_id}/waiver": _givers("waive_appeal"),
    "GET /v1/penalties": _LOOKING,
    "GET /v1/penalties/removed-orders": _LOOKING,
    "GET /v1/holds": _LOOKING,
    "GET /v1/holds/{hold_id}": _LOOKING,
    "POST /v1/holds": _givers("place_hold"),
    "POST /v1/holds/{hold_id}/settlement": _givers("settle_hold"),
    "GET /v1/appeals": _LOOKING | _roles("seller_centre"),
    "GET /v1/appeals/{appeal_id}": _LOOKING | _roles("seller_centre"),
    "POST /v1/appeals": _givers("file_appeal"),
    "POST /v1/appeals/{appeal_id}/decision": _givers("decide_appeal"),
    "POST /v1/documents": _roles("seller_centre"),
    "GET /v1/documents/{document_id}": _LOOKING | _roles("seller_centre"),
    "GET /v1/documents/{document_id}/content": _LOOKING,
    "GET /v1/notices": _LOOKING | _roles("seller_centre"),
    "GET /v1/ledger/{seller_id}": _LOOKING,
    "POST /v1/ledger": _givers("credit_proceeds"),
    "GET /v1/audit": _roles("auditor", "admin"),
    "GET /metrics": _roles("auditor", "admin"),
}
"""Operation (method and path template) → roles that may call it."""

PUBLIC = ("GET /healthz", "GET /readyz", "GET /openapi.json")
"""Operations that need no key."""


def table_markdown() -> str:
    """The table as Markdown, one row per operation, ``●`` where the role may."""
    rows = [["operation", *ROLES]]
    rows += [[f"`{name}`", *("●" if role in may else "" for role in ROLES)] for name, may in ALLOWED.items()]
    rows += [[f"`{name}`", *("●" for _ in ROLES)] for name in PUBLIC]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


if __name__ == "__main__":
    print(table_markdown(), end="")
