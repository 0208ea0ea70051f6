"""Errors a user can act on. One root; each class says what is wrong, where, and what would be right."""

from __future__ import annotations


class TrueTradeError(Exception):
    """Root of every error that TrueTrade raises on purpose; the command line prints it as one line."""


class InputError(TrueTradeError):
    """The input cannot be read at all: a required table or column is missing, a file is unreadable."""


class PolicyError(TrueTradeError):
    """The policy file is wrong; the message names file, line, the offending span and what would be right."""
