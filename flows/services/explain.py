"""What a take would be asked for, to the last header: the request as its service would get it. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.services.catalogue import transport_of
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.storyboard import Shot, Storyboard, is_remote
from storyreel.tasks.bucket import without_password
from storyreel.tasks.providers import load
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.http.client import order_headers
from storyreel.tasks.providers.http.local_files import as_data_uri
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Board, Request, Use
from storyreel.tasks.settings import Settings

_SHOWN = 48
"""Characters of a data URI that are shown; the rest is the file over again."""


class Enclosure(Frozen):
    """A picture, video or voice that goes with the request."""

    label: str
    """As the prompt calls it: `Image 1`; a frame and a voice are called so."""
    shows: str
    """The cast member or location, by its key in the storyboard; may be empty."""
    use: Use
    """What it is to the service."""
    source: str
    """The file beside the storyboard, the address, or whose last frame it is."""
    digest: str
    travels: str
    """How the service gets it, in words."""


class Call(Frozen):
    """An HTTP request. The key is left out of its headers; long media are shortened in its body.

    Its headers are all that are sent but the length, which is that of the body before it was shortened.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: dict[str, Any]


class Explanation(Frozen):
    """All there is to know of a take before it is made."""

    take: PlannedTake
    why: str
    """Why it is asked for in this mode."""
    enclosed: tuple[Enclosure, ...]
    call: Call | None
    """None where nothing is sent: the animatic draws, and other people's services keep their calls to themselves."""

    def as_json(self) -> dict[str, Any]:
        """The form that `explain --json` prints."""
        request = self.take.request
        return {
            "shot": self.take.shot,
            "take": self.take.take,
            "provider": request.provider,
            "model": request.model,
            "mode": request.mode.value,
            "why": self.why,
            "state": self.take.state,
            "reason": self.take.reason,
            "cut_seconds": float(self.take.cut_seconds),
            "sold_seconds": float(request.seconds),
            "price": self.take.price.model_dump(mode="json") if self.take.price else None,
            "key": self.take.key,
            "seed": request.seed,
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "enclosed": [enclosure.model_dump() for enclosure in self.enclosed],
            "board": request.board.model_dump(mode="json") if request.board else None,
            "request": self.call.model_dump() if self.call else None,
        }


def find_take(plan: Plan, slate: str, number: int | None) -> PlannedTake:
    """A take of a shot, the circled one unless it is numbered. Raises LookupError, which says what there is."""
    takes = {take.take: take for take in plan.takes if take.shot == slate}
    if not takes:
        slates = list(dict.fromkeys(take.shot for take in plan.takes))
        known = f"there {'is' if len(slates) == 1 else 'are'} {listed(slates, 'and')}"
        raise LookupError(f"there is no shot `{slate}`; {suggestion(slate, slates, known)}")
    if number is None:
        return next(take for take in takes.values() if take.circled)
    if number not in takes:
        raise LookupError(f"shot {slate} has {len(takes)} {'take' if len(takes) == 1 else 'takes'}, not {number}")
    return takes[number]


def explain(
    film: Storyboard, plan: Plan, take: PlannedTake, environment: Mapping[str, str] = os.environ
) -> Explanation:
    """What would be sent for a take, with the key left out. Reads local files, asks nobody."""
    shot = next(shot for shot in film.all_shots if shot.shot == take.shot)
    adapter = load(take.request.provider)
    service = adapter(environment) if issubclass(adapter, HostedProvider) else None
    enclosed = tuple(_enclosed(film, plan, take.request, adapter, environment))
    return Explanation(
        take=take,
        why=_why(film, shot),
        enclosed=enclosed,
        call=_call(service, take.request, enclosed) if service else None,
    )


def _why(film: Storyboard, shot: Shot) -> str:
    """Why a shot is asked for in its mode, from what the storyboard says of it."""
    begins = f"it begins with the last frame of {shot.continues}" if shot.continues else ""
    begins = begins or (f"it begins with {shot.first_frame}" if shot.first_frame else "")
    begins += f" and ends with {shot.last_frame}" if shot.last_frame else ""
    if shot.mode:
        return "its `mode` says so"
    if seen := [who or "things of its own" for who, _ in film.references_of(shot)]:
        shows = f"it shows {' and '.join(seen)}, with references"
        return f"{shows}; {begins}" if begins else shows
    return begins or "it has neither references nor a first frame"


def _enclosed(
    film: Storyboard, plan: Plan, request: Request, adapter: type[Provider], environment: Mapping[str, str]
) -> Iterator[Enclosure]:
    """What goes with a request, by the numbers that the prompt calls it by."""
    capability = adapter.capabilities[request.mode]
    has_bucket = bool(Settings.read(environment).media_url)

    def enclosure(label: str, attachment: Attachment, use: Use, shows: str = "") -> Enclosure:
        remote = is_remote(attachment.source)
        return Enclosure(
            label=label,
            shows=shows,
            use=use,
            source=_source(film, plan, attachment),
            digest=attachment.digest,
            travels="a link" if remote else transport_of(capability, use, has_bucket=has_bucket),
        )

    if request.first_frame:
        yield enclosure("first frame", request.first_frame, "first_frame")
    if request.last_frame:
        yield enclosure("last frame", request.last_frame, "last_frame")
    counts: Counter[str] = Counter()
    for reference in request.references:
        counts[reference.kind] += 1
        written = f"{reference.kind} {counts[reference.kind]}"
        label = written.capitalize() if capability.label[0].isupper() else written
        yield enclosure(label, reference, reference.kind, reference.subject)
        if reference.voice:
            yield enclosure(f"voice of {label}", reference.voice, "voice", reference.subject)


def _source(film: Storyboard, plan: Plan, attachment: Attachment) -> str:
    """A file as the storyboard knows it, an address, or whose last frame it is."""
    kind, _, mark = attachment.digest.partition(":")
    if kind == "take":
        before = next(take for take in plan.takes if take.key == mark)
        return f"last frame of {before.shot} take {before.take}"
    if is_remote(attachment.source):
        return attachment.source
    return film.relative_path(Path(attachment.source)) or attachment.source


def _call(service: HostedProvider, request: Request, enclosed: tuple[Enclosure, ...]) -> Call:
    """The request that would be sent. The key is not looked at: an ellipsis takes its place."""
    sources = {(use, attachment.digest): attachment.source for use, attachment in request.attachments}
    places = {
        (each.use, each.digest): _place(each, sources[each.use, each.digest], service.store_prefix) for each in enclosed
    }
    url = without_password(service.base + service.submit_path(request))
    return Call(
        method="POST",
        url=url,
        headers=order_headers(url, service.headers("…"), service.submit_headers(places)),
        body=service.body(request, places),
    )


def _place(enclosure: Enclosure, source: str, store_prefix: str) -> str:
    """What stands in the body for an enclosure; `store_prefix` begins addresses in the service's own store."""
    if enclosure.travels == "a link":
        return source
    if not source:
        return f"‹{enclosure.source}, {enclosure.travels}›"
    if enclosure.travels == "inside the request":
        uri = asyncio.run(as_data_uri(Path(source)))
        return f"{uri[:_SHOWN]}… ‹{enclosure.source}, {len(uri):,} characters›"
    begins = store_prefix if enclosure.travels == "the service's own store" else ""
    return f"{begins}‹{enclosure.source}, {enclosure.travels}›"


def print_explanation(console: Console, explained: Explanation) -> None:
    """For people: what and why, what goes with it, the prompt as it is read, the request as it is sent."""

    def say(*lines: str) -> None:
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    def head(title: str) -> None:
        console.print(f"\n[bold]{title}[/bold]", highlight=False)

    take, request = explained.take, explained.take.request
    console.print(f"[bold]{take.shot} take {take.take}[/bold] from {request.provider}", highlight=False)
    say(*(f"  {name:<12}{value}" for name, value in _facts(explained)))
    if explained.enclosed:
        head("what goes with it")
        say(*(f"  {_enclosure_line(each)}" for each in explained.enclosed))
    if request.board:
        head("the board")
        say(*(f"  {name:<12}{value}" for name, value in _board_lines(request.board)))
    if request.prompt:
        head("the prompt")
        say(f"  {request.prompt}")
    if request.negative_prompt:
        head("what to avoid")
        say(f"  {request.negative_prompt}")
    if call := explained.call:
        head("the request")
        say(f"{call.method} {call.url}", *(f"{name}: {value}" for name, value in call.headers.items()), "")
        say(json.dumps(call.body, ensure_ascii=False, indent=2))


def _facts(explained: Explanation) -> Iterator[tuple[str, str]]:
    take, request = explained.take, explained.take.request
    yield "asked for", f"{request.mode.value}: {explained.why}"
    yield "model", request.model
    size = f"{request.width}×{request.height}"
    yield "length", f"{float(take.cut_seconds):.4g} s in the cut, {float(request.seconds):.4g} s made, {size}"
    yield "seed", str(request.seed)
    yield "key", take.key
    yield "state", f"{take.state}: {take.reason}"


def _enclosure_line(each: Enclosure) -> str:
    shows = f" ({each.shows})" if each.shows else ""
    return f"{each.label}{shows}: {each.source}; {each.travels}"


def _board_lines(board: Board) -> Iterator[tuple[str, str]]:
    yield "slate", f"{board.film}, {board.scene}, {board.slate}" if board.scene else f"{board.film}, {board.slate}"
    yield "camera", f"{board.size}, {board.camera}" if board.size else board.camera
    if board.place:
        yield "place", board.place
    yield "action", board.action
    for speaker, line in board.dialogue:
        yield "dialogue", f"{speaker}: {line}"
    yield "length", f"{board.frames} frames at {board.rate} fps"
