"""Settings of the running service: read once at the edge, passed in everywhere else."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

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
    """

    model_config = SettingsConfigDict(env_prefix="TRUETRADE_", frozen=True, extra="ignore")

    database_url: str = DEFAULT_URL
    policy_file: Path | None = None
    pseudonym_key_file: Path = Path("pseudonym.key")
