"""What a run is asked to do: which film, by whom, which shots, for how much, and where it goes."""

from __future__ import annotations

import shlex
from pathlib import Path

from pydantic import Field

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money


class RunRequest(Frozen):
    """One run of a storyboard, as it was asked for."""

    storyboard: Path | str
    """The file; a text where it is an address."""
    provider: str | None = None
    """Who makes all shots, whatever they say."""
    vars: dict[str, str] = Field(default={})
    """Other words for the storyboard's vars."""
    selection: tuple[str, ...] = ()
    """The shots to make, as `storyreel.flows.planning.selection` reads them; all when empty."""
    budget: Money | None = None
    """What the run may cost, whatever the storyboard says."""
    out: Path | str | None = None
    """The folder that the film goes to; a text where it is an address."""

    def command(self, name: str = "render", *more: str) -> str:
        """The command line that asks for the same."""
        parts = ["storyreel", name, str(self.storyboard)]
        parts += ["--provider", self.provider] if self.provider else []
        for word, value in self.vars.items():
            parts += ["--set", f"{word}={value}"]
        parts += ["--select", ",".join(self.selection)] if self.selection and "--select" not in more else []
        parts += ["--budget", self.budget.exactly] if self.budget and name == "render" else []
        parts += ["--out", str(self.out)] if self.out and name == "render" else []
        return shlex.join([*parts, *more])
