"""From a storyboard to a plan: for every take what is asked of whom, whether it is there already, and why.

Pure, and the only planner: `storyreel plan` shows what it makes, `storyreel render` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from typing import Any, Literal

from specs.cut import Anchor, Cut, EditPoints, Event, edit_points, lay
from specs.frozen import Frozen
from specs.money import Money
from specs.problems import Problem, StoryboardError
from specs.storyboard import Format, Shot, Storyboard
from tasks import order
from tasks.attaching import unsent_voices
from tasks.providers import load, names
from tasks.providers.base import Provider, Request
from tasks.references import LocalFiles
from tasks.store.clips import file_digest
from tasks.store.ledger import Purchase, State

TakeState = Literal["new", "cached", "resuming", "unknown"]

LONGEST_CHAIN = 3
"""Shots that continue each other beyond this many drift in colour and likeness."""


class History(Frozen):
    """What is known of the past: the purchases by key, and which clips are in the store."""

    purchases: Callable[[Iterable[str]], Mapping[str, Purchase]]
    holds: Callable[[str], bool]
    has_bucket: bool = False
    """Whether the user has a bucket, for files that a service can only be sent a link to."""


class PlannedTake(Frozen):
    """One take of one shot, and what becomes of it."""

    shot: str
    take: int
    circled: bool
    """Whether it is the one in the cut."""
    request: Request
    key: str
    state: TakeState
    reason: str
    """Why it is in this state, for people."""
    continues: str | None
    """Key of the take whose last frame it begins with."""
    edit: EditPoints
    """Which of its frames are used when it is in the cut."""
    cut_seconds: Fraction
    """Length in the cut."""
    price: Money | None
    """None where nobody knows it."""
    keep_sound: bool
    timeout: float
    """Seconds that a run waits for it."""


class Plan(Frozen):
    """What a run of a storyboard will do."""

    title: str
    format: Format
    cut: Cut
    takes: tuple[PlannedTake, ...]
    """In the order of the film, all takes of a shot together."""
    longest_chain: int
    """Shots in the longest row of shots that continue each other."""
    warnings: tuple[str, ...] = ()

    @property
    def circled(self) -> tuple[PlannedTake, ...]:
        """The takes in the cut, one a shot, in the order of the film."""
        return tuple(take for take in self.takes if take.circled)

    @property
    def total(self) -> Money:
        """The price of all that will be bought, as far as it is known."""
        prices = [take.price for take in self.takes if take.state == "new" and take.price]
        currency = prices[0].currency if prices else "USD"
        return Money(amount=sum((price.amount for price in prices), Decimal(0)), currency=currency)

    def as_json(self) -> dict[str, Any]:
        """The form that `plan --json` prints."""
        return {
            "title": self.title,
            "shots": [
                {
                    "shot": take.shot,
                    "take": take.take,
                    "provider": take.request.provider,
                    "model": take.request.model,
                    "mode": take.request.mode.value,
                    "state": take.state,
                    "reason": take.reason,
                    "cut_seconds": float(take.cut_seconds),
                    "sold_seconds": float(take.request.seconds),
                    "price": take.price.model_dump(mode="json") if take.price else None,
                    "key": take.key,
                }
                for take in self.takes
            ],
            "total": self.total.model_dump(mode="json"),
            "longest_chain": self.longest_chain,
        }


def make(storyboard: Storyboard, history: History, provider: str | None = None) -> Plan:
    """Plan a storyboard; `provider` stands in for every shot's own.

    Raises StoryboardError with all that a service cannot take.
    """
    cut = lay(storyboard)
    events = {event.shot: event for event in cut.events}
    continued = {shot.continues for shot in storyboard.all_shots if shot.continues}
    digest, adapter_of, files = cache(file_digest), cache(_adapter), LocalFiles()
    circled: dict[str, str] = {}
    drafts: dict[str, list[PlannedTake]] = {}
    problems: list[Problem] = []
    for shot in _upstream_first(storyboard.all_shots):
        # A shot whose upstream is unfit is still looked at, so that all problems are reported at once.
        upstream = circled.get(shot.continues, "unfit") if shot.continues else None
        try:
            adapter = adapter_of(provider or shot.provider)
            event, anchor = events[shot.shot], anchor_of(shot, continued)
            requests = order.takes(
                storyboard, shot, adapter, event, anchor, upstream, digest, files, history.has_bucket
            )
            drafts[shot.shot] = list(_takes(storyboard, shot, adapter, event, anchor, upstream, requests))
        except order.Unfit as unfit:
            problems += (_problem(storyboard, shot, one) for one in unfit.all)
        else:
            circled[shot.shot] = drafts[shot.shot][shot.circled_take - 1].key
    if problems:
        raise StoryboardError(problems)
    in_order = [take for shot in storyboard.all_shots for take in drafts[shot.shot]]
    purchases = history.purchases(take.key for take in in_order)
    chains = _chain_lengths(storyboard.all_shots)
    return Plan(
        title=storyboard.title,
        format=storyboard.format,
        cut=cut,
        takes=tuple(_judged(take, purchases.get(take.key), history) for take in in_order),
        longest_chain=max(chains.values()),
        warnings=tuple(_warnings(storyboard, drafts, chains, continued)),
    )


def _takes(
    storyboard: Storyboard,
    shot: Shot,
    adapter: type[Provider],
    event: Event,
    anchor: Anchor,
    upstream: str | None,
    requests: Iterable[Request],
) -> Iterator[PlannedTake]:
    """The takes of a shot, before anyone has looked whether they are there."""
    rate = storyboard.format.fps
    for request in requests:
        yield PlannedTake(
            shot=shot.shot,
            take=request.take,
            circled=request.take == shot.circled_take,
            request=request,
            key=request.key,
            state="new",
            reason="",
            continues=upstream,
            edit=edit_points(event, rate.nearest_frames(request.seconds), anchor),
            cut_seconds=rate.seconds(event.frames),
            price=None if adapter.paid else Money(amount=Decimal(0), currency="USD"),
            keep_sound=shot.native_audio == "keep",
            timeout=float(rate.seconds(shot.timeout.frames(rate))),
        )


def _judged(take: PlannedTake, purchase: Purchase | None, history: History) -> PlannedTake:
    """A take with its state and the reason for it."""
    state, reason = _state(take, purchase, history)
    return take.model_copy(update={"state": state, "reason": reason})


def _state(take: PlannedTake, purchase: Purchase | None, history: History) -> tuple[TakeState, str]:
    free = take.price is not None and not take.price.amount
    if purchase is None:
        return "new", "never made before"
    if purchase.state is State.FINISHED:
        if purchase.clip and history.holds(purchase.clip):
            return "cached", "made before, the clip is in the store"
        if free:
            return "new", "made before, but its clip is gone from the store"
        return "resuming", "paid before; its clip is gone from the store and will be fetched again"
    if purchase.state is State.FAILED:
        return "new", f"failed before: {purchase.reason}"
    if purchase.state is State.SUBMITTED:
        return "resuming", f"ordered before as {purchase.task}, the clip is still to be fetched"
    if purchase.state is State.INTENDED and not purchase.is_left():
        return "resuming", "another run is ordering it now"
    if free:
        return "new", "an earlier run was stopped before it was made"
    return "unknown", "an earlier run was stopped while ordering it; nobody knows whether it was accepted"


def _adapter(name: str) -> type[Provider]:
    try:
        return load(name)
    except LookupError as unknown:
        near = get_close_matches(name, names(), 1)
        fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(names())}"
        raise order.Unfit("provider", f"there is no service {name!r}", fix) from unknown


def _problem(storyboard: Storyboard, shot: Shot, unfit: order.Unfit) -> Problem:
    """At the place that is to blame: a picture of the cast, or the shot's own key."""
    place = storyboard.where(*unfit.at) if unfit.at else storyboard.where_shot(shot.shot, unfit.field)
    return Problem(place, unfit.what, unfit.fix)


def anchor_of(shot: Shot, continued: set[str]) -> Anchor:
    if shot.continues:
        return "first"
    return "last" if shot.shot in continued else "free"


def _upstream_first(shots: Iterable[Shot]) -> Iterator[Shot]:
    """Every shot after the one it continues; the reader has refused cycles."""
    by_slate = {shot.shot: shot for shot in shots}
    done: set[str] = set()
    for shot in by_slate.values():
        chain = [shot]
        while (upstream := chain[-1].continues) and upstream not in done:
            chain.append(by_slate[upstream])
        for link in reversed(chain):
            if link.shot not in done:
                done.add(link.shot)
                yield link


def _chain_lengths(shots: Iterable[Shot]) -> dict[str, int]:
    """For each shot, how many shots stand in a row up to it, itself included."""
    lengths: dict[str, int] = {}
    for shot in _upstream_first(shots):
        lengths[shot.shot] = lengths[shot.continues] + 1 if shot.continues else 1
    return lengths


def _warnings(
    storyboard: Storyboard,
    drafts: Mapping[str, list[PlannedTake]],
    chains: Mapping[str, int],
    continued: set[str],
) -> Iterator[str]:
    ends = [slate for slate, length in chains.items() if length > LONGEST_CHAIN and slate not in continued]
    for slate in ends:
        yield (
            f"{chains[slate]} shots continue each other up to {slate}; "
            f"beyond {LONGEST_CHAIN} they drift in colour and likeness"
        )
    for shot in storyboard.all_shots:
        take = drafts[shot.shot][0]
        unused = storyboard.format.fps.nearest_frames(take.request.seconds) - take.edit.first - take.edit.frames
        if shot.shot in continued and shot.continues and unused > 0:
            yield (
                f"{shot.shot} continues {shot.continues} and is continued itself, but only "
                f"{float(take.cut_seconds):g}s of its {float(take.request.seconds):g}s are in the cut: "
                "the picture will jump where the next shot takes over"
            )
    yield from _silent(storyboard, drafts)


def _silent(storyboard: Storyboard, drafts: Mapping[str, list[PlannedTake]]) -> Iterator[str]:
    """Voices that go with no request: one line for each person and service."""
    shots: dict[tuple[str, str], list[str]] = {}
    for shot in storyboard.all_shots:
        request = drafts[shot.shot][0].request
        if request.board is None:
            for who in unsent_voices(storyboard, shot, request.references):
                shots.setdefault((request.provider, who), []).append(shot.shot)
    for (service, who), slates in shots.items():
        yield (
            f"the voice of {who} is not sent to {service} for {', '.join(slates)}: it takes none there, or by a link "
            "only; the lines are in the prompt"
        )
