"""Which subject a command addresses and which id it makes: how a command finds its seller."""

from __future__ import annotations

from detector.enforcement import commands as cmd

__all__ = ["Subject", "created_by", "subject_of"]

Subject = tuple[str, str]
"""Kind (seller, case, hold, violation, appeal) and id."""

_SUBJECT: dict[type[cmd.Command], tuple[str, str]] = {
    cmd.CreditProceeds: ("seller", "seller_id"),
    cmd.OpenCase: ("seller", "seller_id"),
    cmd.ExtendCase: ("case", "case_id"),
    cmd.PlaceHold: ("case", "case_id"),
    cmd.DecideCase: ("case", "case_id"),
    cmd.ApproveMeasures: ("violation", "violation_id"),
    cmd.CompleteInvestigation: ("case", "case_id"),
    cmd.EstablishLoss: ("case", "case_id"),
    cmd.SettleHold: ("hold", "hold_id"),
    cmd.FileAppeal: ("violation", "violation_id"),
    cmd.DecideAppeal: ("appeal", "appeal_id"),
    cmd.WaiveAppeal: ("violation", "violation_id"),
}
_CREATES: dict[type[cmd.Command], tuple[str, str]] = {
    cmd.OpenCase: ("case", "case_id"),
    cmd.PlaceHold: ("hold", "hold_id"),
    cmd.DecideCase: ("violation", "violation_id"),
    cmd.FileAppeal: ("appeal", "appeal_id"),
}


def subject_of(command: cmd.Command) -> Subject | None:
    """What the command addresses; None for a time marker, which addresses nobody."""
    return _named(command, _SUBJECT)


def created_by(command: cmd.Command) -> Subject | None:
    """The subject that comes into being when the command is accepted, None when it makes none."""
    if isinstance(command, cmd.DecideCase) and command.outcome != "violation":
        return None
    return _named(command, _CREATES)


def _named(command: cmd.Command, table: dict[type[cmd.Command], tuple[str, str]]) -> Subject | None:
    entry = table.get(type(command))
    return (entry[0], getattr(command, entry[1])) if entry else None
