"""The deliverables of a film in its plan: the takes that each has of its own, and the ones that the run makes."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from storyreel.flows.planning.expected_time import expected_seconds
from storyreel.flows.planning.finishing.deliverables import (
    EVERY_DELIVERABLE,
    PlannedDeliverable,
    check_names,
    planned_deliverables,
)
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.orders import with_shared_orders
from storyreel.flows.planning.states import with_states
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.flows.planning.takes.builder import TakeBuilder
from storyreel.flows.planning.takes.shapes import ShapeBuilder, drawn_in_shape, in_deliverable
from storyreel.specs.language.slates import owner_of
from storyreel.specs.problems.problem import StoryboardError


class Shapes(NamedTuple):
    """The takes that services make for the deliverables of a film alone, while it is planned."""

    of: TakeBuilder
    takes: tuple[PlannedTake, ...] = ()
    """The takes of all deliverables, whether these are made or not."""
    asked: tuple[str, ...] = ()
    """The names of the deliverables that are made, or `none`; empty for all that cost nothing besides the film."""
    problems: Mapping[str, str] = MappingProxyType({})
    """Reasons why deliverables cannot be planned, by name."""
    warnings: Mapping[str, Sequence[str]] = MappingProxyType({})
    """Warnings about verdicts, by the deliverable's name."""

    @classmethod
    def of_film(
        cls, of: TakeBuilder, takes: Sequence[PlannedTake], provider: str | None, asked: Sequence[str]
    ) -> Shapes:
        """The shapes of the film that `of` builds with `takes`. Raises UnknownDeliverable, and StoryboardError if what
        the services cannot make is asked for."""
        check_names(of.film, asked, is_draft=of.is_draft)
        made: list[PlannedTake] = []
        problems: dict[str, str] = {}
        warnings: dict[str, Sequence[str]] = {}
        for deliverable in of.film.deliverables:
            if deliverable.shoot is None:
                continue
            try:
                builder = ShapeBuilder(of, takes, deliverable)
                made += builder.in_shape(provider)
            except StoryboardError as error:
                if deliverable.name in asked:
                    raise
                problems[deliverable.name] = error.problems[0].message.removeprefix(in_deliverable(deliverable))
            else:
                warnings[deliverable.name] = builder.warnings
        return cls(of, tuple(made), tuple(asked), problems, warnings)

    def selectable(self, takes: Sequence[PlannedTake]) -> list[PlannedTake]:
        """The takes that shots may be selected among: the film's, and those of deliverables that are asked for."""
        return [take for take in takes if not take.deliverable or self._is_asked(take.deliverable)]

    def _is_asked(self, name: str) -> bool:
        return name in self.asked or EVERY_DELIVERABLE in self.asked

    def free(self, takes: Sequence[PlannedTake]) -> frozenset[str]:
        """The names of the deliverables that cost nothing besides the film."""
        costly = {take.deliverable for take in takes if take.deliverable and take.may_cost}
        names = {one.name for one in self.of.film.deliverables}
        return frozenset(names - costly - self.problems.keys())

    def added_to(self, plan: Plan, takes: Sequence[PlannedTake], free: Collection[str]) -> Plan:
        """The plan with its deliverables, and with these takes of those that are made: which of them are asked for, or
        are `free`."""
        film, history = self.of.film, self.of.history
        if not film.deliverables:
            return plan
        planned, added, warnings = [], list[PlannedTake](), list[str]()
        for one in planned_deliverables(film, plan.cut, self.asked):
            name = one.name
            own = [take for take in takes if take.deliverable == name]
            is_made = name in (self.asked or free) or (EVERY_DELIVERABLE in self.asked and name not in self.problems)
            own += with_states(list(drawn_in_shape(self.of, plan, one, own)), film.title, history)
            own = self._in_order(plan, own)
            # What is ordered for the film, or for a deliverable before it, is not bought for this one, too.
            own = with_shared_orders([*plan.takes, *added, *own])[len(plan.takes) + len(added) :]
            if is_made:
                added += own
                warnings += self.warnings.get(name, ())
            known = {"takes": tuple(own), "is_made": is_made, "problem": self.problems.get(name, "")}
            planned.append(one.model_copy(update=known))
        if not self.asked:
            warnings += self._left_out(planned)
        all_takes = tuple(with_shared_orders([*plan.takes, *added]))
        return plan.model_copy(
            update={
                "takes": all_takes,
                "deliverables": tuple(planned),
                "warnings": (*plan.warnings, *warnings),
                "expected_seconds": expected_seconds(all_takes, history),
            }
        )

    def _left_out(self, planned: Sequence[PlannedDeliverable]) -> Iterator[str]:
        file = self.of.film.where().file
        for one in planned:
            if one.problem:
                yield f"the deliverable {one.name} cannot be made: {one.problem}"
            elif not one.is_made:
                is_unknown = any(take.state == "unknown" for take in one.takes)
                why = "has an order of which nobody knows whether it was accepted"
                why = why if is_unknown else f"would buy {summarize_purchases(one.to_buy)}"
                render = shlex.join(["storyreel", "render", file, "--deliverable", one.name])
                again = "storyreel reconcile" if is_unknown else render
                yield f"the deliverable {one.name} {why}, and is left out; next: {again}"

    def _in_order(self, plan: Plan, takes: Sequence[PlannedTake]) -> list[PlannedTake]:
        """The takes of a deliverable in the order of the film, stills before what is made of them."""
        places = {event.shot: place for place, event in enumerate(plan.cut.events)}
        kinds = ("still", "last still", "clip")
        return sorted(takes, key=lambda take: (places[owner_of(take.shot)], kinds.index(take.kind), take.take))


def of_deliverables(takes: Sequence[PlannedTake]) -> tuple[list[PlannedTake], list[PlannedTake]]:
    """The takes of the film, and those of its deliverables."""
    return [take for take in takes if not take.deliverable], [take for take in takes if take.deliverable]
