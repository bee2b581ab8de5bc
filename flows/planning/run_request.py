"""The parameters of a run: film, service, shots, budget, and the place of the finished film."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from storyreel.flows.errors import NotAllowed
from storyreel.specs.foreign_text import storable
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import shown


class RunRequest(Frozen):
    """One run of a storyboard, as a command or a deployment asks for it."""

    storyboard: Path | str
    provider: str | None = None
    vars: dict[str, str] = Field(default={})
    selection: tuple[str, ...] = ()
    """The shots to make, as `storyreel.flows.planning.selection` reads them; all when empty."""
    budget: Money | None = None
    """The most that the run may cost; replaces the storyboard's `per_run`."""
    out: Path | str | None = None
    draft: bool = False
    """Whether the draft of the film is made instead of it."""
    deliverables: tuple[str, ...] = ()
    """The names of the deliverables to make, `none` for none; all that cost nothing besides the film when empty."""

    def check_recordable(self) -> None:
        """Return if Prefect can record the run: its parameters are UTF-8. Raises NotAllowed."""
        for text in (str(self.storyboard), str(self.out or ""), *self.vars.values()):
            if storable(text) != text:
                raise NotAllowed(
                    f"{shown(text, 200)} is not UTF-8, so that Prefect cannot record a run with it",
                    hint="give it a name without the bytes that are shown as escapes",
                )

    def command(self, name: str = "render", *more: str) -> str:
        """The command line that asks for the same with the command `name`; `more` are further arguments."""
        parts = ["storyreel", name, str(self.storyboard)]
        parts += ["--draft"] if self.draft else []
        parts += ["--provider", self.provider] if self.provider else []
        for key, value in self.vars.items():
            parts += ["--set", f"{key}={value}"]
        parts += ["--select", ",".join(self.selection)] if self.selection and "--select" not in more else []
        for each in self.deliverables if name in ("render", "plan") else ():
            parts += ["--deliverable", each]
        parts += ["--budget", self.budget.exactly] if self.budget and name == "render" else []
        parts += ["--out", str(self.out)] if self.out and name == "render" else []
        return shlex.join([*parts, *more])

    def command_within_budget(self, fits: Sequence[str]) -> str:
        """The command line that renders the shots that fit the budget; that shows the plan if none does."""
        return self.command("render", "--select", ",".join(fits)) if fits else self.command("plan")
