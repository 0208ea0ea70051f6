"""Which role may do what: one line per operation.
``docs/api-roles.md`` holds the table that ``python -m api.roles`` prints.

A route that is not listed here does not start (``api/routing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.roles import ROLES, Role

__all__ = ["ALLOWED", "PUBLIC", "table_markdown"]


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


ALLOWED: Mapping[str, frozenset[Role]] = {
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
