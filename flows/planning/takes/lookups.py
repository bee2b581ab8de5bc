"""Answers of the history about the keys of a film, each asked once: orders and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from storyreel.flows.planning.history import History
from storyreel.tasks.ledger.purchase import State, Verdict


class Bought:
    """The keys that were ordered, and not in vain: a take is not bought again in another edition of its request."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[str, bool] = {}

    def look_up(self, keys: Iterable[str]) -> None:
        """Look up which of these keys were ordered."""
        unknown = [key for key in dict.fromkeys(keys) if key not in self._known]
        found = self._history.purchases(unknown) if unknown else {}
        for key in unknown:
            is_paid = key in found and found[key].state is not State.FAILED
            self._known[key] = is_paid or self._history.keeps(key) or self._history.is_accepted(key)

    def any_of(self, keys: Sequence[str]) -> bool:
        """Whether one of these keys was ordered."""
        self.look_up(keys)
        return any(self._known[key] for key in keys)


class Verdicts:
    """The verdicts by key: those of the likely keys are read at once, others when they are asked for."""

    def __init__(self, history: History, likely: Iterable[str]) -> None:
        self._read = history.verdicts
        keys = list(likely)
        self._known: dict[str, Verdict | None] = {**dict.fromkeys(keys), **self._read(keys)}

    def __bool__(self) -> bool:
        return any(self._known.values())

    def find(self, keys: Iterable[str]) -> Mapping[str, Verdict]:
        """The latest verdict of each of these keys that has one."""
        wanted = list(keys)
        if unknown := [key for key in wanted if key not in self._known]:
            self._known |= {**dict.fromkeys(unknown), **self._read(unknown)}
        return {key: verdict for key in wanted if (verdict := self._known[key])}
