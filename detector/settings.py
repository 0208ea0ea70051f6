"""Settings of the running service: read once at the edge, passed in everywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
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
    model_bundle
        Folder of the model bundle that scores orders; None: the rules judge alone.
    model_key
        Key that the bundle was signed with.
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
    documents_folder
        Where the bytes of sellers' documents are kept; None: in the database.
    document_max_bytes
        The largest document taken.
    marketplace_name
        Who writes to the sellers.
    seller_centre_url
        Where sellers file appeals; named in every notice.
    smtp_host, smtp_port, smtp_user, smtp_password
        The mail server; without a host no e-mail is sent.
    smtp_security
        ``starttls``, ``tls`` (from the start) or ``none``.
    smtp_sender
        Address that the e-mails come from.
    outbox_attempts
        Failures after which a message is dead.
    outbox_retry_seconds
        Pause after the first failure; it doubles with each further one, up to six hours.
    outbox_timeout_seconds
        How long a receiver may take.
    """

    model_config = SettingsConfigDict(env_prefix="TRUETRADE_", frozen=True, extra="ignore")

    database_url: str = DEFAULT_URL
    policy_file: Path | None = None
    model_bundle: Path | None = None
    model_key: SecretStr | None = None
    pseudonym_key_file: Path = Path("pseudonym.key")
    oidc_issuer: str | None = None
    oidc_audience: str = "truetrade"
    oidc_role_claim: str = "roles"
    oidc_roles: dict[str, Role] = {role: role for role in ROLES}
    documents_folder: Path | None = None
    document_max_bytes: Annotated[int, Field(ge=1)] = 10_000_000
    marketplace_name: str = "The marketplace"
    seller_centre_url: str | None = None
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_sender: str = "no-reply@localhost.localdomain"
    outbox_attempts: Annotated[int, Field(ge=1)] = 18
    outbox_retry_seconds: Annotated[float, Field(gt=0)] = 10
    outbox_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10
