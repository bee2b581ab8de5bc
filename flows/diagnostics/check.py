"""The result of one check."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "missing"]
"""`missing`: not even an animatic can be made."""


class Check(NamedTuple):
    """The result of one check."""

    name: str
    state: State
    detail: str
    fix: str = ""
    """The command that sets it up, or what else to do; empty if there is nothing to do."""
