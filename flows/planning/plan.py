"""Makes the plan of a film. The only planner: `storyreel plan` shows its result, `storyreel render` carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from storyreel.flows.planning.checks.warnings import warnings_of
from storyreel.flows.planning.drafts import beside_draft, beside_film, worth_their_final
from storyreel.flows.planning.expected_time import expected_seconds
from storyreel.flows.planning.finishing.sounds import PlannedSound
from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.orders import with_shared_orders
from storyreel.flows.planning.selection import Selected, select_takes
from storyreel.flows.planning.states import with_states
from storyreel.flows.planning.takes.builder import TakeBuilder
from storyreel.flows.planning.takes.deliverables import Shapes, of_deliverables
from storyreel.flows.planning.takes.pictures import with_waits
from storyreel.flows.planning.takes.shapes import wanted_in_shapes
from storyreel.flows.planning.takes.speech import plan_speech
from storyreel.flows.planning.takes.upstream import chain_lengths
from storyreel.specs.derived.draft import draft_of
from storyreel.specs.derived.words import lettering_facts
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.prices.price_list import PriceList


def make_plan(
    film: Storyboard,
    history: History,
    provider: str | None = None,
    selection: Sequence[str] = (),
    prices: PriceList | None = None,
    *,
    draft: bool = False,
    deliverables: Sequence[str] = (),
) -> Plan:
    """Plan a film, or its `draft`.

    `provider` replaces every shot's own services. Shots that are neither selected nor made yet are drawn as animatics.
    `prices` defaults to the shipped ones. If the film has a draft, the plan of the one has that of the `other` beside
    it. Of `deliverables` those that are named are made, if none is all that cost nothing besides the film. Raises
    StoryboardError with all problems, NothingSelected, and UnknownDeliverable.
    """
    prices = prices or PriceList.read({})
    of_film = TakeBuilder(film, history, prices, spoken=plan_speech(film, history, prices, provider))
    if draft:
        of_draft = _of_draft(film, history, prices, of_film, provider)
        shapes = Shapes.of_film(of_draft, (), provider, deliverables)
        plan = _plan(of_draft, of_draft.takes(provider), selection, shapes=shapes)
        return beside_film(plan, _plan(of_film, of_film.takes(None)), film)
    takes = of_film.takes(provider)
    shapes = Shapes.of_film(of_film, takes, provider, deliverables)
    if film.draft is None:
        return _plan(of_film, takes, selection, shapes=shapes)
    drafted: Plan | StoryboardError
    try:
        of_draft = _of_draft(film, history, prices, of_film)
        drafted = _plan(of_draft, of_draft.takes(None))
    except StoryboardError as problem:
        drafted = problem
    approved = partial(worth_their_final, takes, drafted)
    plan = _plan(of_film, takes, selection, approved, shapes)
    return beside_draft(plan, drafted, film.where().file)


def _of_draft(
    film: Storyboard, history: History, prices: PriceList, of_film: TakeBuilder, provider: str | None = None
) -> TakeBuilder:
    draft = draft_of(film)
    drafted_by = provider or (draft.draft.provider if draft.draft else None)
    return TakeBuilder(draft, history, prices, of_film, plan_speech(draft, history, prices, drafted_by))


def _plan(
    builder: TakeBuilder,
    takes: Sequence[PlannedTake],
    selection: Sequence[str] = (),
    approved: Callable[[], Selected] | None = None,
    shapes: Shapes | None = None,
) -> Plan:
    """The plan of these takes or a selection of them; `approved` as for `select_takes`. Raises NothingSelected.

    `shapes` are the takes that its deliverables have for themselves; None for a plan without deliverables.
    """
    film, history = builder.film, builder.history
    every = _with_states(builder, [*takes, *(shapes.takes if shapes else ())])
    free = shapes.free(every) if shapes else ()
    if selection:
        selected = select_takes(selection, shapes.selectable(every) if shapes else every, approved)
        of_film, in_shapes = of_deliverables(every)
        shown = [*builder.with_stand_ins(of_film, selected), *wanted_in_shapes(in_shapes, selected)]
        every = _with_states(builder, shown)
    takes, in_shapes = of_deliverables(list(with_waits(every)))
    takes = with_shared_orders(builder.in_order(takes))
    chains = chain_lengths(film.all_shots)
    plan = Plan(
        title=film.title,
        is_draft=builder.is_draft,
        format=film.format,
        cut=builder.cut,
        lettering=lettering_facts(film),
        sound=PlannedSound.of(film),
        takes=tuple(takes),
        heard=builder.spoken.heard,
        narration=builder.spoken.narration(film, builder.cut),
        longest_chain=max(chains.values()),
        expected_seconds=expected_seconds(takes, history),
        warnings=(
            *builder.warnings,
            *warnings_of(film, takes, chains, builder.cut, builder.spoken.lengths),
            *_warnings_of_subtitles(builder),
            *_warnings_of_overlaps(builder),
        ),
    )
    return _warned(builder, shapes.added_to(plan, in_shapes, free)) if shapes else plan


def _warned(builder: TakeBuilder, plan: Plan) -> Plan:
    """The plan with warnings about the subtitles of its deliverables that are made."""
    made = [each.written for each in plan.deliverables if each.is_made]
    if not any(each.format.model_fields_set or each.subtitles for each in made):
        return plan
    # Imported late: most films have none.
    from storyreel.flows.planning.finishing.subtitles import warnings_of_deliverable

    film, lengths = builder.film, builder.spoken.lengths
    warnings = [warning for each in made for warning in warnings_of_deliverable(film, each, plan.cut, lengths)]
    return plan.model_copy(update={"warnings": (*plan.warnings, *warnings)}) if warnings else plan


def _warnings_of_subtitles(builder: TakeBuilder) -> tuple[str, ...]:
    if not builder.film.has_subtitle_tracks:
        return ()
    # Imported late: most films have none.
    from storyreel.flows.planning.finishing.subtitles import subtitle_warnings

    return tuple(subtitle_warnings(builder.film, builder.cut, builder.spoken.lengths))


def _warnings_of_overlaps(builder: TakeBuilder) -> tuple[str, ...]:
    film = builder.film
    has_label_and_subtitles = film.label and film.burnt_in_language is not None
    if not (film.titles or any(shot.titles for shot in film.all_shots) or has_label_and_subtitles):
        return ()
    # Imported late, as above.
    from storyreel.flows.planning.finishing.overlaps import overlap_warnings

    return tuple(overlap_warnings(film, builder.cut, builder.spoken.lengths))


def _with_states(builder: TakeBuilder, takes: Sequence[PlannedTake]) -> list[PlannedTake]:
    # Those of speech have theirs, on which lengths depend.
    speech = [take for take in takes if take.kind == "speech"]
    others = [take for take in takes if take.kind != "speech"]
    return speech + with_states(others, builder.film.title, builder.history, is_draft=builder.is_draft)
