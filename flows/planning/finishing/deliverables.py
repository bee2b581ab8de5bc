"""The deliverables of a planned film: their sizes and cuts, and the ones that a run makes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from storyreel.flows.planning.takes.planned import PlannedTake
from storyreel.specs.cut import Cut
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Trusted
from storyreel.specs.language.finishing.deliverables import Deliverable
from storyreel.specs.language.slates import owner_of
from storyreel.specs.money import sums_as_json
from storyreel.specs.problems.phrases import counted, listed, shown, suggestion
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation.deliverables import rate_problems

NO_DELIVERABLE = "none"
"""The name that stands for no deliverable at all."""


EVERY_DELIVERABLE = "*"
"""The name that stands for all that can be planned, whatever they cost."""


class UnknownDeliverable(StoryreelError):
    """The film has no deliverable of a name."""


class PlannedDeliverable(Trusted):
    """A deliverable of a film as it is planned."""

    written: Deliverable
    size: tuple[int, int]
    """Width and height in pixels."""
    cut: Cut
    """The cut of the film at the rate of the deliverable."""
    is_made: bool = True
    """Whether the run makes it. Its takes are then among those of the plan."""
    takes: tuple[PlannedTake, ...] = ()
    """The takes that it does not share with the film: made by services in its shape, their stills, and drawings."""
    problem: str = ""
    """The reason why services cannot make its shots in its shape; empty if they can, or need not."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.written.name

    @cached_property
    def shot_again(self) -> tuple[str, ...]:
        """The slates of the film's shots that services make again in its shape."""
        takes = (take for take in self.takes if take.kind == "clip" and not take.is_redrawn)
        return tuple(dict.fromkeys(owner_of(take.shot) for take in takes))

    @property
    def redrawn(self) -> int:
        """Number of drawings of the film that are made once more for it."""
        return sum(take.is_redrawn for take in self.takes)

    @property
    def to_buy(self) -> tuple[PlannedTake, ...]:
        """The takes that are bought for it, now or once a still is approved, if it is made; one an order."""
        new = (take for take in self.takes if take.state == "new" and not take.chosen.is_free)
        return tuple(take for take in new if not take.bought_with)

    @property
    def picture(self) -> str:
        """Its size and rate: `1080×1920, 25 fps`."""
        width, height = self.size
        return f"{width}×{height}, {self.cut.rate} fps"

    @property
    def encoding(self) -> str:
        """Its codec, and what is written of its quality: `h265, 8 Mbit/s`."""
        return ", ".join(filter(None, (self.written.codec, self.written.quality, self.written.bit_rate)))

    @property
    def facts(self) -> str:
        """All that is written of it, for saved plans."""
        return self.written.model_dump_json(exclude_defaults=True)

    def as_json(self) -> dict[str, Any]:
        """A row of `plan --json`."""
        width, height = self.size
        return {
            "name": self.name,
            "width": width,
            "height": height,
            "fps": str(self.cut.rate),
            "frames": self.cut.frames,
            "codec": self.written.codec,
            "made": self.is_made,
            "shot_again": list(self.shot_again),
            "takes": [take.as_json() for take in self.takes if not take.is_redrawn],
            "to_buy": sums_as_json(take.price for take in self.to_buy),
            **({"problem": self.problem} if self.problem else {}),
        }


def planned_deliverables(film: Storyboard, cut: Cut, named: Sequence[str] = ()) -> tuple[PlannedDeliverable, ...]:
    """The deliverables of a film. Those that are `named` are made; all of them if none is.

    Raises StoryboardError if a shot has no frame in one of them.
    """
    if problems := list(rate_problems(film, cut)):
        raise StoryboardError(problems)
    return tuple(
        PlannedDeliverable(
            written=written,
            size=written.size(film.format),
            cut=cut.at_rate(written.rate(film.format)),
            is_made=not named or written.name in named,
        )
        for written in film.deliverables
    )


def check_names(film: Storyboard, named: Sequence[str], *, is_draft: bool) -> None:
    """Return if a film has all deliverables that are named. Raises UnknownDeliverable."""
    known = [written.name for written in film.deliverables]
    if is_draft and set(named) - {NO_DELIVERABLE, EVERY_DELIVERABLE}:
        raise UnknownDeliverable("a draft has no deliverables", hint="leave out the name, or make the film itself")
    if NO_DELIVERABLE in named and (others := [name for name in named if name != NO_DELIVERABLE]):
        hint = "leave one of them out"
        raise UnknownDeliverable(f"`{NO_DELIVERABLE}` and `{shown(others[0])}` contradict each other", hint=hint)
    for name in named:
        if name not in (NO_DELIVERABLE, EVERY_DELIVERABLE, *known):
            verb = "is" if len(known) == 1 else "are"
            there_are = f"there {verb} {listed(known, 'and')}" if known else "write it under `deliverables`"
            hint = suggestion(name, known, there_are)
            raise UnknownDeliverable(f"the film has no deliverable `{shown(name)}`", hint=hint)


def in_words(deliverables: Sequence[PlannedDeliverable]) -> str:
    """`2 deliverables`, `1 of 2 deliverables`; empty for none."""
    made = sum(each.is_made for each in deliverables)
    count = counted(len(deliverables), "deliverable")
    return (count if made == len(deliverables) else f"{made} of {count}") if deliverables else ""
