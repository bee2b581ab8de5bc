"""The planner of one film: everything that its plan depends on, kept so that the film can be planned again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from storyreel.flows.packs import read_film
from storyreel.flows.planning.checks.budget import BudgetedPlan, check_budget, limits_of, unaffordable, uncounted
from storyreel.flows.planning.checks.media import check_media
from storyreel.flows.planning.history import History, open_history, with_verdicts
from storyreel.flows.planning.model import Plan, named
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.states import with_states
from storyreel.specs.money import Money
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit
from storyreel.tasks.ledger.purchase import NewVerdict
from storyreel.tasks.prices.price_list import PriceList


class Planner(NamedTuple):
    """A film with its home and all that was asked for: each plan reads the ledger anew."""

    film: Storyboard
    home: Home
    prices: PriceList
    provider: str | None = None
    selection: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    draft: bool = False
    """Whether its plans are of the film's draft."""
    deliverables: tuple[str, ...] = ()
    """The names of the deliverables that are made; all if there are none."""
    command: str = ""
    """The command line that plans the same: `next` of what only the planner finds wrong, as `validate` does not."""

    @classmethod
    def of(
        cls,
        request: RunRequest,
        home: Home | None = None,
        *,
        confined: bool = False,
        own_vars: Mapping[str, str] | None = None,
    ) -> Planner:
        """Read the storyboard and the prices of a run; an address or a pack is fetched into `home` first.

        With `confined`, as for an address, the storyboard may name no files outside of its folder. With `own_vars` it
        names only those there that it names with these values for its variables.

        Raises StoryboardError, also for the price file, BucketError, and SettingsError.
        """
        home = home or Home.of()
        film = read_film(request.storyboard, request.vars, home, confined=confined, own_vars=own_vars)
        check_media(film)
        return cls(
            film=film,
            home=home,
            prices=PriceList.read(),
            provider=request.provider,
            selection=request.selection,
            limits=limits_of(film.budget, request.budget),
            draft=request.draft,
            deliverables=request.deliverables,
            command=request.command("plan"),
        )

    @property
    def name(self) -> str:
        """The title, with `(draft)` if its plans are of the draft."""
        return named(self.film.title, is_draft=self.draft)

    def plan(self, history: History | None = None) -> Plan:
        """Plan the film by the present ledger, or by this history.

        Raises StoryboardError, NothingSelected and UnknownDeliverable.
        """
        if history is None:
            with open_history(self.home) as present:
                return self.plan(present)
        try:
            return make_plan(
                self.film, history, self.provider, self.selection, self.prices,
                draft=self.draft, deliverables=self.deliverables,
            )  # fmt: skip
        except StoryboardError as problem:
            problem.was_found_by(self.command)
            raise

    def plan_within_budget(self, run: str = "") -> BudgetedPlan:
        """The plan, and whether it fits the budget; `run` is the id of the flow run that buys. Raises as `plan`."""
        with open_history(self.home) as history:
            plan = self.plan(history)
            notes = uncounted(plan, self.limits, history.unpriced, run)
            notes += unaffordable(plan, self.limits, history.committed)
            plan = plan.model_copy(update={"warnings": (*plan.warnings, *notes)}) if notes else plan
            try:
                check_budget(plan, self.limits, history.committed, run)
            except BudgetExceeded as excess:
                return BudgetedPlan(plan, self.limits, excess)
        return BudgetedPlan(plan, self.limits)

    def plan_as_if(self, verdicts: Sequence[NewVerdict]) -> Plan:
        """The plan of all shots as it would be with these verdicts noted. Raises StoryboardError."""
        with open_history(self.home) as history:
            return self._replace(selection=()).plan(with_verdicts(history, verdicts))

    def refreshed(self, plan: Plan) -> Plan:
        """The plan with the present states of its takes, after some of them were made."""
        with open_history(self.home) as history:
            takes = with_states(plan.takes, plan.title, history, is_draft=plan.is_draft)
            return plan.model_copy(update={"takes": tuple(takes)})

    def committed(self, run: str) -> tuple[Money, ...]:
        """The money that a flow run has committed so far, one sum a currency."""
        with open_history(self.home) as history:
            return history.committed("run", film=self.film.title, run=run)
