"""The roles of those who call the service. What each may do is the table in ``api/roles.py``."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ROLES", "Role"]

Role = Literal["ingest", "scorer", "analyst", "enforcer", "approver", "seller_centre", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
