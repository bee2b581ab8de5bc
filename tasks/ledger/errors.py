"""How the ledger fails."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger cannot be used. The message ends with what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message}\nnext: {hint}" if hint else message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint)
