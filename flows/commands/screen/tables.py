"""Prints a plan and a finished film for people."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.text import Text

from storyreel.flows.commands.screen.deliverables import print_deliverables, print_finished
from storyreel.flows.planning.drafts import SIMILAR, approved_drafts
from storyreel.flows.planning.selection import OF_APPROVED_DRAFTS
from storyreel.flows.planning.summary import amounts_of, reason_of, summarize, summarize_purchases
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.language.slates import is_line
from storyreel.specs.problems.phrases import abridged, counted
from storyreel.tasks.request.attachments import SPEECH

if TYPE_CHECKING:
    from storyreel.flows.planning.checks.budget import BudgetedPlan
    from storyreel.flows.planning.model import Plan, PlannedTake
    from storyreel.flows.production.report import Rendering
    from storyreel.specs.money import Money

_MOST_ROWS = 200
"""A plan with more takes has neighbours that differ in nothing but their slates in one row."""
_MOST_GROUPS = 1000
"""Most rows that are printed of a scene after neighbours are joined."""
_COLOURS = {"new": "yellow", "cached": "green", "resuming": "cyan", "unknown": "red"}


def print_plan(console: Terminal, budgeted: BudgetedPlan) -> None:
    """Print a row for each take and a line for each scene, then totals, notes and warnings.

    Columns with the same value in all rows are left out and named below the table.
    """
    plan = budgeted.plan
    buys = bool(plan.bought or plan.waiting)
    prices = ("price", "draft", "film") if buys or (plan.other and plan.other.bought) else ()
    every, always = _columns(plan), (*_ALWAYS, *prices)
    columns = [column for column in every if column.name in always or _differs(column, plan)]
    rows: list[Row] = []
    for scene, of_scene in plan.scenes():
        takes = [take for take in of_scene if not take.is_redrawn]
        rows += (Row(cells) for cells in _rows(takes, columns, is_long=len(plan.takes) > _MOST_ROWS))
        if scene and buys:
            rows.append(Row([_scene_cell(column, scene, takes, plan) for column in columns], is_last=True))
    heads = [Column(column.name, column.justify, is_text=column.name == "why") for column in columns]
    print_rows(console, heads, rows, plan.name)
    print_deliverables(console, plan)
    left_out = [f"{column.name} {value}" for column in every
                if column not in columns and (value := column.text(plan.takes[0]))]  # fmt: skip
    for line in _notes(budgeted, left_out):
        console.print(line, soft_wrap=True)


def _rows(takes: Sequence[PlannedTake], columns: Sequence[_Column], *, is_long: bool) -> Iterator[list[str | Text]]:
    """The cells of a scene's rows: one a take, or in a long plan one for neighbours that have the same cells."""
    others = columns[1:]
    if not is_long:
        yield from ([column.cell(take) for column in columns] for take in takes)
        return
    groups = groupby(takes, lambda take: [column.text(take) for column in others])
    for number, (_, group) in enumerate(groups):
        first, *rest = group
        if number == _MOST_GROUPS:
            left = sum(1 for _, group in groups for _ in group) + 1 + len(rest)
            yield [f"… {left} more", *("" for _ in others[1:]), "`plan --json` lists all"]
            return
        slate = f"{columns[0].text(first)} … {columns[0].text(rest[-1])}: {len(rest) + 1}" if rest else None
        yield [slate or columns[0].cell(first), *(column.cell(first) for column in others)]


def _notes(budgeted: BudgetedPlan, same: Sequence[str]) -> Iterator[str | Text]:
    """Lines about the plan as a whole; `same` are the values that all takes have in common."""
    plan = budgeted.plan
    yield f"{summarize(plan)}."
    if same:
        yield f"The same for all: {', '.join(same)}."
    if plan.stand_ins:
        shots = len(plan.cut.events)
        yield f"{shots - plan.stand_ins} of {counted(shots, 'shot')} shot; the animatic stands in for the others."
    if bought := plan.bought:
        surplus = f", {float(beyond):.4g} s of it beyond the cut" if (beyond := plan.surplus_seconds) else ""
        yield f"To be bought: {summarize_purchases(bought)}{surplus}."
        for what, some in (
            ("stills and sheets", [take for take in bought if take.is_picture]),
            ("speech", [take for take in bought if take.kind == "speech"]),
        ):
            if some:
                yield f"Of that for {what}: {' and '.join(amounts_of(some, 'more at an unknown price'))}."
        if plan.expected_seconds is None:
            yield "How long it will take is not known: a service is used for the first time."
        else:
            yield f"It will take about {_duration(plan.expected_seconds)}, by the times these services took before."
        yield from _prompts(bought)
    if unknown := list(dict.fromkeys(take.shot for take in plan.takes if take.state == "unknown")):
        them = "it" if len(unknown) == 1 else "them"
        were = f"{abridged(unknown)} {'was' if len(unknown) == 1 else 'were'}"
        yield f"Not ordered again, as it is unknown whether {were}: storyreel reconcile settles {them}."
    if waiting := plan.waiting:
        stills = [slate for slate in plan.unapproved if any(slate in take.waits_for for take in waiting)]
        once = [f"{abridged(stills)} {'is' if len(stills) == 1 else 'are'} approved"] if stills else []
        is_for_speech = any(is_line(slate) for take in waiting for slate in take.waits_for if slate not in stills)
        once += ["the speech is made, by a run of their own"] if is_for_speech else []
        yield f"Bought once {' and '.join(once)}: {summarize_purchases(waiting)}."
    yield from _recordings(plan)
    yield from _beside(plan)
    if plan.longest_chain > 1:
        yield f"Longest chain of shots that continue each other: {plan.longest_chain}."
    yield from _fallbacks(plan)
    for note, takes in _price_notes(plan):
        yield styled(("note:", "yellow"), f" price of {abridged(takes)}: {note}")
    for warning in plan.warnings:
        yield styled(("note:", "yellow"), f" {warning}")
    if budgeted.excess:
        yield styled(("budget:", "red"), f" {budgeted.excess}")


def _recordings(plan: Plan) -> Iterator[str]:
    """The shots that are made to their recordings or speech, and those under which these are laid, with the reason."""
    made: dict[str, dict[str, None]] = {}
    laid: dict[tuple[str, str], dict[str, None]] = {}
    for take in plan.takes:
        what = "speech" if any(one.digest.startswith(SPEECH) for one in take.recordings) else "recordings"
        if take.request.sound:
            made.setdefault(what, {})[take.shot] = None
        if take.laid_with(take.chosen):
            laid.setdefault((what, take.chosen.why_laid), {})[take.shot] = None
    for what, shots in made.items():
        yield f"Made to their {what}: {abridged(shots)}."
    for (what, why), shots in laid.items():
        because = f", as {why}" if why else ""
        yield f"{what.capitalize()} laid under {abridged(shots)} in the place of the clips' own sound{because}."


def _beside(plan: Plan) -> Iterator[str]:
    """The costs of the film's draft and its use; in the plan of a draft, those of the film."""
    if plan.other is None:
        return
    # Film and draft have the same pictures, which are paid once; clips that wait for stills are paid later.
    shared = {take.key for take in plan.bought}
    other = [take for take in (*plan.other.bought, *plan.other.waiting) if take.key not in shared]
    costs = summarize_purchases(other) if other else "nothing more is to be bought"
    costs += " beside the same pictures" if other and any(take.key in shared for take in plan.other.pictures) else ""
    yield f"The film itself: {costs}." if plan.is_draft else f"As a draft (`--draft`): {costs}."
    if plan.is_draft or not any(take.state == "cached" for take in plan.other.takes if not take.chosen.is_free):
        yield f"{SIMILAR} The two are bought in runs of their own."
    elif approved := approved_drafts(plan):
        yield f"Approved drafts: {abridged(approved)}; `--select {OF_APPROVED_DRAFTS}` makes their finals."
    else:
        yield "No draft is approved yet: `storyreel review --draft` does that."


def _prompts(bought: Sequence[PlannedTake]) -> Iterator[str]:
    """Whether services rewrite the prompts, and mark the clips as AI generated."""
    expanded = list(dict.fromkeys(take.shot for take in bought if take.request.expand_prompt))
    if not expanded:
        yield "Prompts are used as they are sent; the services' own expansion is off (`expand_prompt`)."
    elif any(not take.request.expand_prompt for take in bought):
        yield f"The services expand the prompts of {abridged(expanded)} (`expand_prompt`), and no others."
    else:
        yield "The services expand the prompts (`expand_prompt`)."
    if marked := list(dict.fromkeys(take.shot for take in bought if take.request.watermark)):
        yield f"Marked by the service as AI generated: {abridged(marked)}."


def _scene_cell(column: _Column, scene: str, takes: Sequence[PlannedTake], plan: Plan) -> Text:
    """A cell of a scene's line: its name, its length in the cut, or what is bought for it."""
    in_cut = (take for take in takes if take.circled and take.kind == "clip" and not take.deliverable)
    cells = {
        "take": f"scene {scene}",
        "cut": f"{float(sum(take.cut_seconds for take in in_cut)):.4g} s",
        "price": "\n".join(amounts_of(takes, "+ unknown")),
    }
    if column.name in ("draft", "film"):
        found = (plan.beside.get((take.shot, take.take)) for take in takes)
        cells[column.name] = "\n".join(amounts_of(filter(None, found), "+ unknown"))
    return styled((cells.get(column.name, ""), "dim"))


def _fallbacks(plan: Plan) -> Iterator[str]:
    """The services that replace one that fails, and their prices: a line for each sequence of services."""
    rows: dict[tuple[str, ...], list[PlannedTake]] = {}
    for take in plan.takes:
        if take.fallbacks and take.state != "cached":
            rows.setdefault(tuple(way.request.provider for way in take.candidates), []).append(take)
    for (first, *others), takes in rows.items():
        then = (f"{name} ({_price_range(take.fallbacks[n].price for take in takes)})" for n, name in enumerate(others))
        shots = abridged(dict.fromkeys(take.shot for take in takes))
        yield f"If {first} fails for good: {', then '.join(then)}; for {shots}."


def _price_range(prices: Iterable[Money | None]) -> str:
    """`1.80 CNY to 3.00 CNY a take`."""
    every = list(prices)
    known = sorted((price for price in every if price), key=lambda price: price.amount)
    if len(known) < len(every):
        return "at an unknown price"
    lowest, highest = known[0].exactly, known[-1].exactly
    return f"{lowest} a take" if lowest == highest else f"{lowest} to {highest} a take"


def _price_notes(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """Each note on a price, with the shots that it holds for, or with takes of those that have others too."""
    of_shot: dict[str, set[str]] = {}
    for take in plan.bought:
        of_shot.setdefault(take.shot, set()).add(take.chosen.price_note)
    notes: dict[str, dict[str, None]] = {}
    for take in plan.bought:
        if take.chosen.price_note:
            what = take.shot if len(of_shot[take.shot]) == 1 else f"{take.shot} take {take.take}"
            notes.setdefault(take.chosen.price_note, {})[what] = None
    return ((note, list(shots)) for note, shots in notes.items())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Column(NamedTuple):
    name: str
    text: Callable[[PlannedTake], str]
    justify: Literal["left", "right"] = "left"
    styles: Mapping[str, str] | None = None
    """The style of each of its texts."""

    def cell(self, take: PlannedTake) -> str | Text:
        text = self.text(take)
        return Text(text, style=self.styles[text]) if self.styles else text


def _cut(take: PlannedTake) -> str:
    if take.kind != "clip":
        return "used" if take.circled else "–"
    if take.is_open:
        return "best"
    about = "≈ " if take.is_estimate else ""
    return f"{about}{float(take.cut_seconds):.4g} s" if take.circled else "–"


def _made(take: PlannedTake) -> str:
    return f"{float(take.request.seconds):.4g} s" if take.kind == "clip" else take.request.mode.product


def _from(take: PlannedTake) -> str:
    return take.chosen.maker if take.chosen.is_card else _maker(take.request.provider, take.request.model)


@cache
def _maker(service: str, model: str) -> str:
    """The service, and its model if that is not one that it makes without a name."""
    from storyreel.tasks.providers import load

    with suppress(LookupError):
        if model not in {capability.model for capability in load(service).capabilities.values()}:
            return f"{service} {model}"
    return service


def _price(take: PlannedTake) -> str:
    if take.bought_with:
        return "–"
    if take.price is None:
        return "unknown"
    return take.price.exactly if take.price.amount else "free"


def _columns(plan: Plan) -> tuple[_Column, ...]:
    name = "film" if plan.is_draft else "draft"
    beside = (_Column(name, lambda take: _made_beside(plan, take), "right"),) if plan.other else ()
    return (*_COLUMNS[:_PRICE], *beside, *_COLUMNS[_PRICE:])


def _made_beside(plan: Plan, take: PlannedTake) -> str:
    """The price and the state of the same take in the draft, or in the film if this is the draft."""
    other = plan.beside.get((take.shot, take.take))
    if other is None:
        return "–"
    word = other.review if other.verdict else "made" if other.state == "cached" else ""
    return f"{_price(other)} {word}".rstrip()


_COLUMNS = (
    _Column("take", lambda take: f"{take.shot} take {take.take}"),
    _Column("from", _from),
    _Column("mode", lambda take: "–" if take.chosen.is_card else take.request.mode.value.removesuffix("-to-video")),
    _Column("cut", _cut, "right"),
    _Column("made", _made, "right"),
    _Column("price", _price, "right"),
    _Column("state", lambda take: take.state, styles=_COLOURS),
    _Column("review", lambda take: take.review or ""),
    _Column("why", reason_of),
)
_ALWAYS = ("take", "cut", "made", "state", "why")
_PRICE = 1 + next(place for place, column in enumerate(_COLUMNS) if column.name == "price")
"""Columns up to the price."""


def _differs(column: _Column, plan: Plan) -> bool:
    if column.name == "review":
        return any(take.review for take in plan.takes)
    return len({column.text(take) for take in plan.takes}) > 1


def print_rendering(console: Terminal, rendering: Rendering, page: str, unapproved: Sequence[str] = ()) -> None:
    """Print the place of a finished film, its cost, its findings, and `page`, where its run is shown.

    `unapproved` are the slates of stills that no clip is made of before they are approved. If a player runs, also the
    address at which it plays the film.
    """
    from storyreel.flows.player.links import is_playing
    from storyreel.tasks.home import Home

    cached = sum(take.cached for take in rendering.takes)
    resumed = sum(take.is_resumed for take in rendering.takes)
    console.print(
        styled(
            ("✓", "green"),
            " ",
            (str(rendering.sequence), "bold"),
            f"\n  {rendering.frames} frames at {rendering.fps} fps, {float(rendering.seconds):.4g} s; "
            f"{rendering.takes_in_words}, {cached} made before"
            f"{f', {resumed} ordered before' if resumed else ''}; spent {rendering.spent_in_words}",
        ),
        soft_wrap=True,
    )
    if rendering.stand_ins:
        shots = sum(take.circled for take in rendering.shots)
        made = f"{shots - rendering.stand_ins} of {counted(shots, 'shot')} shot"
        console.print(f"  {made}; the animatic stands in for the others")
    for finding in rendering.findings:
        console.print(styled(("  look at:", "yellow"), f" {finding}"), soft_wrap=True)
    for line in rendering.price_warnings:
        console.print(styled(("  price:", "yellow"), f" {line}"), soft_wrap=True)
    if (level := rendering.level) and level.in_words:
        console.print(f"  sound: {level.in_words}, peak {level.peak:.1f} dBTP, gain {level.gain:+.1f} dB")
        if level.shortfall:
            console.print(styled(("  sound:", "yellow"), f" {level.shortfall}"), soft_wrap=True)
    print_finished(console, rendering)
    if unapproved:
        wait = f"{abridged(unapproved)} {'waits' if len(unapproved) == 1 else 'wait'} for approval"
        review = shlex.join(["storyreel", "review", rendering.origin.storyboard])
        made = "a clip is made of it" if len(unapproved) == 1 else "clips are made of them"
        console.print(f"  {wait} before {made}: {review}", soft_wrap=True)
    if rendering.is_draft:
        review = shlex.join(["storyreel", "review", rendering.origin.storyboard, "--draft"])
        console.print(f"  a draft, marked in its picture; which shots are worth their final: {review}", soft_wrap=True)
    console.print(f"  {page}", soft_wrap=True)
    if rendering.play and is_playing(Home.of()):
        console.print(f"  play: {rendering.play}", soft_wrap=True)
