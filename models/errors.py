"""Errors of the model layer; ``detector`` shows them to people as they are."""

from __future__ import annotations


class BundleError(ValueError):
    """A model bundle cannot be written or trusted; the message says why and what would be right."""


class TrainingError(ValueError):
    """A model cannot be trained on these rows; the message says what is missing."""
