"""The flow `render storyboard`: makes a film from a storyboard."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.runtime import flow_run
from pydantic import AfterValidator, Field

from storyreel.flows.errors import RunFailed
from storyreel.flows.lifecycle.automations import continuable
from storyreel.flows.lifecycle.cancellation import stop_handler, stoppable
from storyreel.flows.lifecycle.deployed import is_deployed, is_own_run, own_parameters, then_again
from storyreel.flows.lifecycle.final_state import completed, fails_in_words
from storyreel.flows.monitoring.events import emit_question
from storyreel.flows.monitoring.logs import make_logs_legible
from storyreel.flows.monitoring.observe import log_new_warnings, log_plan, observe_run
from storyreel.flows.names import RENDER_FLOW, film_tags, renamed_run, retagged, run_name, tagged_film
from storyreel.flows.packs import title_of, version_of
from storyreel.flows.planning.finishing.film_sound import sound_of_plan
from storyreel.flows.planning.finishing.subtitles import tracks_of_plan
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.selection import slates_of_selection
from storyreel.flows.player.links import Links
from storyreel.flows.production.agreement import agreed_keys, check_agreed, check_consent, held_to
from storyreel.flows.production.ceiling import ceiling_of_run
from storyreel.flows.production.credentials import check_signing
from storyreel.flows.production.deliverables.make import check_encoders, make_deliverables
from storyreel.flows.production.delivery import Delivery, open_delivery, try_destination
from storyreel.flows.production.film_folder import FilmSource
from storyreel.flows.production.film_parts import FilmParts
from storyreel.flows.production.finish import FilmFinisher
from storyreel.flows.production.finished import finished_takes
from storyreel.flows.production.outcomes import ClipsToBuy, DeliverablesFailed, Failure, ShotsFailed, not_stopped_by
from storyreel.flows.production.report import Origin, Rendering, run_links
from storyreel.flows.production.scene_runs import run_scenes
from storyreel.flows.production.shutdown import orderly_shutdown
from storyreel.flows.production.slots.places import open_places
from storyreel.flows.production.slots.service_limits import active_limits, limits_of_takes
from storyreel.flows.production.sound_ahead import SoundAhead
from storyreel.flows.production.takes import TakeRuns, begin_takes
from storyreel.flows.production.text.overlays import FilmOverlays
from storyreel.flows.production.text.words import subtitles_over, words_over
from storyreel.flows.review.lacking import Lacking
from storyreel.flows.review.model import ReviewNeeded
from storyreel.flows.review.suspend import Approval
from storyreel.flows.servers.availability import current_server
from storyreel.flows.servers.prefect_internals import name_flow_run
from storyreel.specs.money import MEANING, PATTERN, parse_money
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read_title
from storyreel.specs.secrets import hidden
from storyreel.specs.storyboard import is_remote
from storyreel.tasks import providers
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.request.board import own_font
from storyreel.tasks.studio import Studio, open_studio
from storyreel.tasks.threads import in_own_thread, in_threads

_Service = Annotated[str, Field(json_schema_extra={"enum": list(providers.names())})]
_Budget = Annotated[
    str | None,
    AfterValidator(lambda text: None if text is None else parse_money(text).exactly),
    # Prefect shows JSON Schema's own messages, and only that of `const` can say what is expected.
    Field(json_schema_extra={"if": {"type": "string", "not": {"pattern": PATTERN}}, "then": {"const": MEANING}}),
]
"""An amount as `parse_money` takes it."""


def _run_name() -> str:
    """The name of this run before its film is read. An attempt after the first one keeps the name that it finds."""
    if flow_run.run_count:
        return str(flow_run.name)
    title = tagged_film(flow_run.tags) or Path(hidden(flow_run.parameters["storyboard"])).stem
    return run_name(title, datetime.now(), is_draft=bool(flow_run.parameters.get("draft")))


@flow(name=RENDER_FLOW, flow_run_name=_run_name)
@stoppable
@fails_in_words
@continuable
async def render_storyboard(
    storyboard: Annotated[str, Field(min_length=1, examples=["/films/the-keeper.yaml"])],
    provider: _Service | None = None,
    vars: dict[str, str] | None = None,
    select: list[str] | None = None,
    budget: _Budget = None,
    out: str | None = None,
    spread: Literal["none", "scenes"] = "none",
    agreed: list[str] | None = None,
    buy: bool = False,
    draft: bool = False,
    deliverables: list[str] | None = None,
) -> Rendering:
    """Make a film from a storyboard: the sequence, and a report on it.

    Args:
        storyboard: The YAML file: a path on the machine that renders, an address such as `s3://films/film.yaml`,
            or that of a pack. One from an address, or other than the deployment's own, names no files outside of its
            folder; and `vars` other than the deployment's own lead to no others there.
        provider: A service that makes all shots. Without it, each shot is made by the one the storyboard names.
        vars: Values for the storyboard's vars, for example `{"city": "Lyon"}`. Others keep their values.
        select: The shots to make: `1B`, `1A+`, `scene:2`, `state:new`, `changed`, `draft:approved`. The animatic stands
            in for others. Without it, all.
        budget: The most this run may cost, `20 USD`. Without it, the storyboard's budget; of a deployed film, what it
            was deployed for.
        out: The folder or address for the sequence. Without it, `renders/<title>`, with a suffix if the film of another
            storyboard is there.
        spread: `scenes`: each scene is made in a run of its own, on any worker of the pool. For deployed runs only.
        agreed: For `storyreel render`, which shows a plan first; leave it out. The takes that may be bought, by the
            first 12 digits of their keys.
        buy: For calls from Python, which buy nothing without a budget unless this is true. A deployed run was agreed to
            when it was deployed.
        draft: Make the storyboard's draft instead of the film, in the folder `draft` of the film's.
        deliverables: The deliverables to make beside the film, by their names, or `none`. Without it, all that cost
            nothing.

    Raises SettingsError, StoryboardError, BucketError, DiskError, FolderTaken, CredentialsError, NothingSelected,
    UnknownDeliverable, BudgetExceeded, NotAllowed, NotAgreed and LimitMissing before anything is made, and ShotsFailed,
    ReviewNeeded and ClipsToBuy after all else is finished; DeliverablesFailed when the film itself is delivered;
    DiskError and BucketError also if the film cannot be delivered in the end. A deployed run is suspended with a form
    instead of BudgetExceeded and ReviewNeeded, and raises NotApproved when the answer is no. A subflow is not
    suspended, even if its parent is deployed.
    """
    make_logs_legible()
    home = Home.of()
    request = RunRequest(
        storyboard=storyboard,
        provider=provider,
        vars=vars or {},
        selection=tuple(select or ()),
        budget=parse_money(budget) if budget else None,
        out=out,
        draft=draft,
        deliverables=tuple(deliverables or ()),
    )
    # A person who fills in a form must not choose among the files of this host.
    own = await own_parameters()
    confined = own is not None and own.get("storyboard") != storyboard
    own_vars = None if own is None else own.get("vars") or {}
    try:
        planner = await asyncio.to_thread(Planner.of, request, home, confined=confined, own_vars=own_vars)
    except StoryboardError:
        await _name_by_title(request)
        raise
    version = await asyncio.to_thread(version_of, planner.film)
    approval = await Approval.begin(planner, partial(emit_question, planner.film.title))
    # An amount that a person approved replaces every other limit of the run.
    ceiling = approval.ceiling or await ceiling_of_run()
    held = "" if approval.ceiling else ceiling.raised(planner.limits)
    planner = planner._replace(limits=ceiling.over(() if approval.ceiling else planner.limits))
    try:
        plan, limits, excess = await in_own_thread(planner.plan_within_budget, str(flow_run.id))
        deployed = plan.title
        if ceiling.counts_film and own:
            deployed = await asyncio.to_thread(_deployed_title, request, own, plan.title, home)
        excess = ceiling.excess(plan, deployed) or excess
        # Before an excess is raised: a suspended run is found by its film's tag.
        services = {take.request.provider for take in plan.takes}
        tags = film_tags(plan.title, version, services, is_draft=draft)
        # Another flow, which calls this function itself, has tags of its own.
        tags = retagged(flow_run.tags, tags) if is_own_run() else sorted({*flow_run.tags, *tags})
        async with current_server().while_answering():
            await name_flow_run(renamed_run(str(flow_run.name), plan.title, is_draft=draft), tags)
        if excess:
            excess.hint = "; ".join(filter(None, (excess.hint, held)))
            raise excess
        if held:
            get_run_logger().info("%s", held)
        if agreed is not None:
            check_agreed(plan, agreed)
        elif not is_deployed():
            check_consent(plan, limits, buy=buy)
            agreed = None if buy or limits else []
        if not ceiling.allows_purchases:
            agreed = []
        log_plan(plan)
        scenes = None
        if spread == "scenes" and is_deployed():
            scenes = {
                "storyboard": storyboard,
                "provider": provider,
                "vars": vars,
                "draft": draft,
                "limits": [limit.model_dump(mode="json") for limit in limits],
                "agreed": agreed_keys(plan) if agreed is None else agreed,
                # Deployments of earlier versions do not know it.
                **({"deliverables": deliverables} if deliverables else {}),
            }
        file = planner.film.where().file
        source = await asyncio.to_thread(FilmSource.of, storyboard, plan.title, file, is_draft=draft)
        origin = Origin(storyboard=hidden(storyboard), version=version, source=source.place, is_draft=draft)
        chosen = await asyncio.to_thread(try_destination, out, source, plan, home)
        await asyncio.to_thread(check_signing, planner.film)
        await asyncio.to_thread(check_encoders, plan)
        async with in_threads(open_delivery(chosen, source, home)) as delivery:
            rendering = await _carry_out(planner, plan, origin, delivery, agreed, scenes)
        return completed(rendering, rendering.in_words)
    except ReviewNeeded as needed:
        needed.next = await then_again(request.model_copy(update={"selection": ()}).command("review"))
        await approval.ask_to_review(needed)
        raise
    except (ClipsToBuy, DeliverablesFailed) as waiting:
        waiting.next = await then_again(request.command())
        raise
    except (BudgetExceeded, ShotsFailed) as excess:
        if isinstance(excess, BudgetExceeded):
            excess.next = await then_again(request.command_within_budget(excess.fits))
        else:
            excess.next = await then_again(excess.next or request.command())
        if isinstance(excess, BudgetExceeded) or excess.is_budget:
            await approval.ask_for_budget(excess)
        raise


async def _name_by_title(request: RunRequest) -> None:
    """Name this run by the title of a storyboard that has mistakes, if that can be read."""
    if is_remote(storyboard := str(request.storyboard)):
        return
    if title := await asyncio.to_thread(read_title, Path(storyboard), request.vars):
        async with current_server().while_answering():
            await name_flow_run(renamed_run(str(flow_run.name), title), flow_run.tags)


def _deployed_title(request: RunRequest, own: Mapping[str, Any], title: str, home: Home) -> str:
    """The title of the film as it is deployed: that of this run, `title`, unless its storyboard or variables, which
    differ from the deployment's `own`, give it another one."""
    storyboard, own_vars = str(own.get("storyboard")), own.get("vars") or {}
    if (storyboard, own_vars) == (str(request.storyboard), request.vars):
        return title
    named = title_of(storyboard, own_vars, home)
    return title if named == title_of(str(request.storyboard), request.vars, home) else named


async def _carry_out(
    planner: Planner,
    plan: Plan,
    origin: Origin,
    delivery: Delivery,
    agreed: Collection[str] | None,
    scenes: dict[str, Any] | None,
) -> Rendering:
    """Carry out a plan. `agreed` are the takes that may be bought, all if it is None; `scenes` the parameters for runs
    of single scenes, None if there are to be none."""
    run = str(flow_run.id)
    limited, links = frozenset[str](), await run_links(planner.home)
    async with current_server().while_answering():
        limited = await active_limits(limits_of_takes(plan.unmade), is_deployed=is_deployed())
    current_server().limit_patience()
    async with (
        open_places(limited, is_deployed=is_deployed()) as places,
        open_studio(planner.home, plan.services, asked=plan.asked_services, places=places) as studio,
    ):
        stop_handler().use_studio(studio)
        takes = await begin_takes(plan, studio, run, planner.limits, agreed)
        again, failures = await _speak(planner, plan, takes, studio, links)
        if again is not plan:
            log_new_warnings(plan, again)
            plan, before = again, takes
            await studio.open(plan.asked_services)
            takes = await begin_takes(plan, studio, run, planner.limits, agreed)
            takes.adopt(before)
        if scenes:
            done = await finished_takes(plan, studio, takes.house, takes.accepted_signature)
            if await run_scenes(plan, not_stopped_by(failures, plan), done, scenes):
                plan = await in_own_thread(planner.refreshed, plan)
                takes = await begin_takes(plan, studio, run, planner.limits, agreed)
        async with orderly_shutdown(plan, takes, studio), observe_run(plan, takes, studio, links) as observer:
            subtitles = await asyncio.to_thread(tracks_of_plan, planner.film, plan)
            sound = SoundAhead(plan.cut, takes, studio, sound_of_plan(planner.film, plan))
            fonts = Fonts(own=own_font(planner.film))
            words = [
                *words_over(planner.film, plan.cut, plan.format.size, fonts),
                *subtitles_over(planner.film, subtitles, plan.format.size, fonts),
            ]
            overlays = FilmOverlays(words, takes, studio, is_draft=plan.is_draft)
            parts = FilmParts(plan, takes, sound, overlays, studio.house_cache, studio.drawing, fonts)
            failures = [*failures, *await takes.run_all(not_stopped_by(failures, plan), then=parts.prepare)]
            lacking = await Lacking.of(plan, failures, takes, studio)
            finisher = FilmFinisher(planner.film, plan, takes, parts, delivery, subtitles)
            await asyncio.to_thread(delivery.claim)
            names = [deliverable.name for deliverable in planner.film.deliverables]
            earlier = await asyncio.to_thread(delivery.remove_deliverables, names)
            sequence = await finisher.join(studio)
            rendering = await finisher.write_report(sequence, origin, studio, run)
            shortfall = rendering.level.shortfall if rendering.level else ""
            for line in filter(None, (*rendering.price_warnings, shortfall)):
                get_run_logger().warning("%s", line)
            await asyncio.to_thread(delivery.deliver)
            noted = await finisher.note_film(planner.home, rendering)
            rendering = rendering.model_copy(update={"play": links.film(noted)})
            await observer.publish_film(rendering, delivery.folder)
            note = partial(finisher.add_deliverables, rendering, planner.home)
            made, failed = await make_deliverables(finisher, studio, note, lacking.deliverables)
            if made:
                rendering = rendering.model_copy(update={"deliverables": tuple(made)})
                await observer.publish_deliverables(rendering)
            for name in sorted(earlier.keys() - {each.name for each in made}):
                command = shlex.join(["storyreel", "render", origin.storyboard, "--deliverable", name])
                get_run_logger().warning("%s is as an earlier run made it; next: %s", earlier[name], command)
            lacking.check(rendering.sequence, failed, len(made))
            return rendering


async def _speak(
    planner: Planner, plan: Plan, takes: TakeRuns, studio: Studio, links: Links
) -> tuple[Plan, list[Failure]]:
    """Make the speech of a film, on whose length other takes hang, and plan the film again with it.

    What is bought is still what was agreed to: clips that cost something else now wait.
    """
    speech = tuple(take for take in plan.speech if take.state != "cached")
    if not speech:
        return plan, []
    of_speech = plan.model_copy(update={"takes": speech})
    async with orderly_shutdown(of_speech, takes, studio), observe_run(of_speech, takes, studio, links):
        failures = await takes.run_all(speech)
    selected = slates_of_selection(plan.takes, planner.deliverables)
    again = planner._replace(selection=tuple(selected) if planner.selection else ())
    try:
        longer = await in_own_thread(again.plan)
    except StoryboardError as error:
        what = "\n".join(map(str, error.problems))
        raise RunFailed(
            f"the speech is made and kept, and the film cannot be made with its length:\n{what}", next=error.next
        ) from error
    return held_to(longer, agreed_keys(plan)), failures
