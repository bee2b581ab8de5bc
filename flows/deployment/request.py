"""A request for a deployment: the options of a film, completed by those of the deployment that exists."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from prefect.client.schemas.responses import DeploymentResponse
from prefect.schedules import Schedule
from pydantic import ConfigDict, Field

from storyreel.flows.markdown import code, escape
from storyreel.flows.names import film_tags
from storyreel.flows.packs import is_pack
from storyreel.flows.planning.model import Plan, named
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.ceiling import Ceiling, ceiling_of
from storyreel.flows.production.film_folder import FilmSource
from storyreel.flows.production.slots.service_limits import limits_of_takes
from storyreel.flows.render import render_storyboard
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, parse_money
from storyreel.specs.storyboard import Storyboard, is_remote
from storyreel.tasks.providers import load

Overlap = Literal["wait", "skip"]
"""A run that is due while another run of the same film is under way waits or is skipped."""
Spread = Literal["none", "scenes"]
"""`scenes`: each scene is a run of its own, on any worker."""

STRATEGIES: Mapping[str, Overlap] = MappingProxyType({"ENQUEUE": "wait", "CANCEL_NEW": "skip"})
"""Prefect's names for what a run does that is due while another one is under way."""


class FilmOptions(Frozen):
    """The options that were given for the deployment of one film, on the command line or in a file of deployments.

    What is None or empty was not named: a deployment that exists keeps what it has.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    storyboard: Path
    pool: str = ""
    """Empty for a film that is served."""
    name: str | None = None
    """The deployment's name; made from the title if None."""
    provider: str | None = None
    vars: dict[str, str] = Field(default={})
    selection: tuple[str, ...] = ()
    budget: Money | None = None
    no_budget: bool = False
    """Whether an earlier `budget` is to go."""
    out: str | None = None
    draft: bool = False
    deliverables: tuple[str, ...] = ()
    bucket: str | None = None
    schedules: tuple[Schedule, ...] = ()
    no_schedule: bool = False
    """Whether schedules that are not named are to go."""
    limits: dict[str, int] = Field(default={})
    """Takes at once by service, or by its model: `dashscope:wan3.1-video`. What is not named keeps its limit."""
    overlap: Overlap | None = None
    spread: Spread | None = None
    lost_after: int | None = None
    """Seconds without a heartbeat after which a run counts as lost."""
    reset: bool = False
    """Whether all that is not named goes back to its default; schedules only with `no_schedule`."""

    def run(self, film: Storyboard | None = None, current: DeploymentResponse | None = None) -> RunRequest:
        """The run of the film: as named, else as deployed at present."""
        old = self._kept(film, current)
        return RunRequest(
            storyboard=self.storyboard,
            provider=self.provider or old.get("provider"),
            vars={**_known(old.get("vars") or {}, film), **self.vars},
            selection=self.selection or tuple(old.get("select") or ()),
            budget=self.budget or (None if self.no_budget else _kept_budget(old, film, current)),
            out=self.out or self._kept_out(old),
            draft=self.draft or bool(old.get("draft")),
            deliverables=self.deliverables or tuple(old.get("deliverables") or ()),
        )

    def spread_of(self, film: Storyboard, current: DeploymentResponse | None) -> Spread:
        """The named value, else the deployed one, else `none`. A film that is served has no other workers."""
        if not self.pool:
            return "none"
        return self.spread or self._kept(film, current).get("spread") or "none"

    def overlap_of(self, current: DeploymentResponse | None) -> Overlap:
        """The named value, else the deployed one, else `wait`."""
        options = current.concurrency_options if current and not self.reset else None
        deployed = STRATEGIES.get(options.collision_strategy.value) if options else None
        return self.overlap or deployed or "wait"

    def kept_parameters(self, film: Storyboard, current: DeploymentResponse | None) -> Mapping[str, Any]:
        """The parameters of the present deployment, which stay if they are not named."""
        return self._kept(film, current)

    def _kept(self, film: Storyboard | None, current: DeploymentResponse | None) -> Mapping[str, Any]:
        """The parameters of the present deployment; empty if another film is deployed under the name."""
        if film is None or current is None or self.reset or other_storyboard(self.storyboard, film.title, current):
            return {}
        return current.parameters

    def _kept_out(self, old: Mapping[str, Any]) -> str | None:
        """The present place of the finished film. None where a film is packed for the first time and that is a folder
        of this disk, which its workers do not share."""
        out = old.get("out")
        return None if out and self.bucket and not is_remote(str(out)) and not _is_packed(old) else out


class DeploymentRequest(Frozen):
    """A film to deploy or to serve, planned and agreed to."""

    options: FilmOptions
    run: RunRequest
    plan: Plan
    ceiling: Ceiling
    """The amounts that were agreed to."""
    name: str
    overlap: Overlap
    spread: Spread
    kept: dict[str, Any] = Field(default={})
    """Parameters of the present deployment that stay if they are not named."""

    @property
    def services(self) -> list[str]:
        """The services that a run may order from, for the film or for its draft, by name."""
        return sorted({*self.plan.services, *(self.plan.other.services if self.plan.other else ())})

    @property
    def finished_services(self) -> set[str]:
        """The services among them whose takes are all made: a run asks them only for takes that the plan does not have,
        of other words, variables or retakes."""
        plans = filter(None, (self.plan, self.plan.other))
        unmade = {each.request.provider for plan in plans for take in plan.unmade for each in take.candidates}
        return {*self.services} - unmade

    @property
    def paid_services(self) -> list[str]:
        """The services among them that are paid."""
        return [name for name in self.services if load(name).paid]

    @property
    def limits(self) -> list[str]:
        """The limits of takes at once of these services, and of their models, by name."""
        other = self.plan.other.takes if self.plan.other else ()
        return limits_of_takes((*self.plan.takes, *other))


class FilmDeployment(Frozen):
    """A film as it is deployed."""

    title: str
    name: str
    """The deployment's name."""
    version: str
    """SHA-256, in hex, over the storyboard and every local file it names."""
    storyboard: str
    """An absolute path, or the address of a pack."""
    is_packed: bool
    out: str
    """The place of the finished film: an absolute folder, or an address."""
    is_draft: bool = False
    """Whether its runs make the film's draft, unless they are told otherwise."""

    @property
    def full_name(self) -> str:
        """The name that `prefect deployment run` takes."""
        return f"{render_storyboard.name}/{self.name}"

    @property
    def tags(self) -> list[str]:
        """Tags of the deployment and of its runs."""
        return film_tags(self.title, self.version, is_draft=self.is_draft)

    @property
    def description(self) -> str:
        """Markdown for the deployment's page."""
        kept = "packed, so that a run renders what was deployed" if self.is_packed else "read from its file at each run"
        title = escape(named(self.title, is_draft=self.is_draft))
        into = f"{self.out.rstrip('/')}/draft" if self.is_draft else self.out
        return (
            f"Renders **{title}**, version `{self.version[:12]}`, into {code(into)}.\n\n"
            f"The storyboard is {kept}: {code(self.storyboard)}. A take that is in the ledger is not bought again."
        )


def other_storyboard(storyboard: Path | str, title: str, current: DeploymentResponse | None) -> str:
    """The other storyboard that is deployed under the film's name, and is replaced; empty if there is none.

    Storyboards in packs are not compared: nothing in their addresses stays from one version to the next.
    """
    given = str(current.parameters.get("storyboard") or "") if current else ""
    if not given or is_remote(given) or is_remote(str(storyboard)):
        return ""
    place = str(Path(storyboard).expanduser().absolute())
    return "" if FilmSource.of(place, title).is_same_as(FilmSource.of(given, "")) else given


def _known(values: Mapping[str, str], film: Storyboard | None) -> dict[str, str]:
    """Values of the variables that the film still has."""
    return {name: value for name, value in values.items() if film and name in film.vars}


def _kept_budget(old: Mapping[str, Any], film: Storyboard | None, current: DeploymentResponse | None) -> Money | None:
    """The budget that the film was deployed with. Not the parameter, which can be edited on Prefect's pages.

    One that came from the storyboard is read from there again.
    """
    if not old or film is None or current is None:
        return None
    ceiling, given = ceiling_of(current.pull_steps), old.get("budget")
    if ceiling is None:  # deployed by an earlier version
        with suppress(ValueError):
            return parse_money(str(given))
        return None
    has_own = film.budget is not None and film.budget.per_run is not None
    return None if has_own and not given else next((one.most for one in ceiling.limits if one.scope == "run"), None)


def _is_packed(parameters: Mapping[str, Any]) -> bool:
    return is_pack(str(parameters.get("storyboard") or ""))
