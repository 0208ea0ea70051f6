"""Settings of the running service: read once at the edge, passed in everywhere else."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from detector.roles import ROLES, Role
from detector.store.database import DEFAULT_URL

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Each field is read from the environment variable ``TRUETRADE_`` + its name in capitals.

    Attributes
    ----------
    database_url
        ``sqlite:///FILE`` or ``postgresql://…``.
    policy_file
        The policy in force; None is the default policy.
    pseudonym_key_file
        Secret key of the stored pseudonyms; made at first use, and to be backed up with the database.
    oidc_issuer
        Identity provider of the people who may log in; None: only API keys are taken.
    oidc_audience
        What a token's ``aud`` must hold.
    oidc_role_claim
        The claim that names a person's role.
    oidc_roles
        Name in that claim → role, as JSON: ``{"risk-analysts": "analyst"}``. As it is, the names are ours.
    """

    model_config = SettingsConfigDict(env_prefix="TRUETRADE_", frozen=True, extra="ignore")

    database_url: str = DEFAULT_URL
    policy_file: Path | None = None
    pseudonym_key_file: Path = Path("pseudonym.key")
    oidc_issuer: str | None = None
    oidc_audience: str = "truetrade"
    oidc_role_claim: str = "roles"
    oidc_roles: dict[str, Role] = {role: role for role in ROLES}
