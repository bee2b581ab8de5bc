"""Shows the request for a take exactly as its service would get it, headers included. Sends nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.summary import reason_of
from storyreel.flows.services.catalogue import transport_of
from storyreel.flows.terminal import Terminal, styled
from storyreel.specs.derived.speech import lines_to_speak
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import owner_of, picture_slate
from storyreel.specs.problems.phrases import counted, listed, suggestion
from storyreel.specs.storyboard import Mode, Storyboard, is_remote
from storyreel.tasks.providers import load
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.http.client import order_headers
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Board, Request, Use
from storyreel.tasks.providers.sent_file import read_file
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.bucket import without_password

_SHOWN = 48
"""Characters of a data URI that are shown."""


class ExplainedAttachment(Frozen):
    """A picture, video, voice or sound that is part of the request."""

    label: str
    """Its name in the prompt, `Image 1`, or `first frame`, `clip before`, `last frame`, `voice of Image 1`, `sound`."""
    shows: str
    """The key of the cast member or location in the storyboard; may be empty."""
    use: Use
    source: str
    """The path as in the storyboard, an address, or the take whose last frame it is, or whose end, or whose picture."""
    digest: str
    travels: str
    """Its way to the service: a `Transport` or `a link`."""


class HttpRequest(Frozen):
    """An HTTP request without the key and the content length in its headers, with shortened media in its body."""

    method: str
    url: str
    headers: dict[str, str]
    body: dict[str, Any]


class Explanation(Frozen):
    """A take, the reason for its mode, its attachments and its HTTP request."""

    take: PlannedTake
    why: str
    attachments: tuple[ExplainedAttachment, ...]
    http_request: HttpRequest | None
    """None for the animatic and for services of other packages."""

    def as_json(self) -> dict[str, Any]:
        """The form that `explain --json` prints."""
        request = self.take.request
        return {
            "shot": self.take.shot,
            "take": self.take.take,
            "kind": self.take.kind,
            "provider": request.provider,
            "model": request.model,
            "mode": request.mode.value,
            "why": self.why,
            "state": self.take.state,
            "reason": self.take.reason,
            "waits_for": list(self.take.waits_for),
            "cut_seconds": float(self.take.cut_seconds),
            "sold_seconds": float(request.seconds),
            "price": self.take.price.model_dump(mode="json") if self.take.price else None,
            "key": self.take.key,
            "seed": request.seed,
            "expand_prompt": request.expand_prompt,
            "watermark": request.watermark,
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "enclosed": [each.model_dump() for each in self.attachments],
            "board": request.board.model_dump(mode="json") if request.board else None,
            "request": self.http_request.model_dump() if self.http_request else None,
            **({"grade": self.take.grading.as_json()} if self.take.grading else {}),
        }


def find_take(plan: Plan, slate: str, number: int | None) -> PlannedTake:
    """A take of a shot by its number, else the circled one. Raises LookupError, which names the shots or takes."""
    takes = {take.take: take for take in plan.takes if take.shot == normalize("NFC", slate)}
    if not takes:
        slates = list(dict.fromkeys(take.shot for take in plan.takes))
        known = f"there {'is' if len(slates) == 1 else 'are'} {listed(slates, 'and')}"
        raise LookupError(f"there is no shot `{slate}`; {suggestion(slate, slates, known)}")
    if number is None:
        return next(take for take in takes.values() if take.circled)
    if number not in takes:
        raise LookupError(f"shot {slate} has {counted(len(takes), 'take')}, not {number}")
    return takes[number]


def explain(
    film: Storyboard, plan: Plan, take: PlannedTake, environment: Mapping[str, str] = os.environ
) -> Explanation:
    """Explain the request for a take of a plan of `film`. Reads local files; sends nothing."""
    adapter = load(take.request.provider)
    service = adapter(environment) if issubclass(adapter, HostedProvider) else None
    attachments = tuple(_attachments(film, plan, take.request, adapter, environment))
    return Explanation(
        take=take,
        why=_why(film, take),
        attachments=attachments,
        http_request=_http_request(service, take.request, attachments) if service else None,
    )


def _why(film: Storyboard, take: PlannedTake) -> str:
    if take.kind == "speech":
        line = next(line for line in lines_to_speak(film) if line.shot == take.shot).line
        return f"it is {line.kind} of {line.shot}, without a recording"
    if take.kind != "clip":
        part = {"still": "first frame", "last still": "last frame", "sheet": "sheet"}[take.kind]
        return f"it is the {part} of {owner_of(take.shot)}"
    shot = next(shot for shot in film.all_shots if shot.shot == owner_of(take.shot))
    begins = f"it begins with the last frame of {shot.upstream}" if shot.continues else ""
    begins = f"it goes on from the end of {shot.upstream}" if take.request.first_clip else begins
    first = picture_slate(shot.shot, "still") if shot.still else shot.first_frame
    last = picture_slate(shot.shot, "last still") if shot.last_still else shot.last_frame
    begins = begins or (f"it begins with {first}" if first else "")
    begins += f" and ends with {last}" if last else ""
    if take.request.edited:
        return f"it edits a take of {shot.upstream if shot.edits_another else 'its own shot'}"
    if shot.mode:
        return "its `mode` says so"
    if take.request.mode is Mode.REFERENCE:
        shown = {who for who, _ in film.references_of(shot)} | set(film.sheets_of(shot))
        seen = [who or "things of its own" for who in (*shot.cast, shot.location or "", "") if who in shown]
        shows = f"it shows {' and '.join(seen)}, with references"
        return f"{shows}; {begins}" if begins else shows
    return begins or "it has neither references nor a first frame"


def _attachments(
    film: Storyboard, plan: Plan, request: Request, adapter: type[Provider], environment: Mapping[str, str]
) -> Iterator[ExplainedAttachment]:
    capability = find_capability(adapter, request.model, request.mode)
    has_bucket = bool(Settings.read(environment).media_url)

    def explained(label: str, attachment: Attachment, use: Use, shows: str = "") -> ExplainedAttachment:
        remote = is_remote(attachment.source)
        return ExplainedAttachment(
            label=label,
            shows=shows,
            use=use,
            source=_source(film, plan, attachment),
            digest=attachment.digest,
            travels="a link" if remote else transport_of(capability, use, has_bucket=has_bucket),
        )

    if request.first_frame:
        yield explained("first frame", request.first_frame, "first_frame")
    if request.first_clip:
        yield explained("clip before", request.first_clip, "first_clip")
    if request.last_frame:
        yield explained("last frame", request.last_frame, "last_frame")
    if request.edited:
        yield explained("edited clip", request.edited, "edited")
    counts: Counter[str] = Counter()
    for reference in request.references:
        counts[reference.kind] += 1
        label = capability.label_of(reference.kind, counts[reference.kind])
        yield explained(label, reference, reference.kind, reference.subject)
        if reference.voice:
            counts["audio"] += 1
            is_counted = capability.voices is not None
            of = capability.label_of("audio", counts["audio"]) if is_counted else f"voice of {label}"
            yield explained(of, reference.voice, "voice", reference.subject)
    if request.sound:
        yield explained("sound", request.sound, "sound")


def _source(film: Storyboard, plan: Plan, attachment: Attachment) -> str:
    kind, _, mark = attachment.digest.partition(":")
    if kind in ("take", "still", "speech"):
        key, _, part = mark.partition(" ")
        if attachment.crop:
            plain = attachment.model_copy(update={"digest": f"{kind}:{key}", "crop": None})
            return f"{_source(film, plan, plain)}, {attachment.crop}"
        before = next(take for take in plan.takes if take.identity == key)
        if kind != "take":
            return f"{before.shot} take {before.take}{f' {part}' if part else ''}"
        part = part or ("last frame" if attachment.kind == "image" else "clip")
        return f"{part} of {before.shot} take {before.take}"
    if is_remote(attachment.source):
        return attachment.source
    cut = f", {attachment.crop}" if attachment.crop else ""
    return f"{film.relative_path(Path(attachment.source)) or attachment.source}{cut}"


def _http_request(service: HostedProvider, request: Request, attachments: Sequence[ExplainedAttachment]) -> HttpRequest:
    """The request with an ellipsis in place of the key, which is not read."""
    sources = {(use, attachment.digest): attachment.source for use, attachment in request.attachments}
    by_name = {(each.use, each.digest): each for each in attachments}
    places = {name: _place(each, sources[name], service.store_prefix) for name, each in by_name.items()}
    url = without_password(service.base + service.submit_path(request))
    headers = service.order_headers(request, places)
    return HttpRequest(
        method="POST",
        url=url,
        headers=order_headers(url, service.headers("…"), headers),
        body=service.body(request, places),
    )


def _place(attachment: ExplainedAttachment, source: str, store_prefix: str) -> str:
    """The text for an attachment in the body; `store_prefix` begins addresses in the service's own store."""
    if attachment.travels == "a link":
        return source
    if not source:
        return f"‹{attachment.source}, {attachment.travels}›"
    if attachment.travels == "inside the request":
        uri = read_file(Path(source)).data_uri()
        return f"{uri[:_SHOWN]}… ‹{attachment.source}, {len(uri):,} characters›"
    begins = store_prefix if attachment.travels == "the service's own store" else ""
    return f"{begins}‹{attachment.source}, {attachment.travels}›"


def print_explanation(console: Terminal, explanation: Explanation) -> None:
    """Print the take and the reason, the attachments, the prompt and the HTTP request."""

    def say(*lines: str) -> None:
        for line in lines:
            console.print(line, soft_wrap=True)

    def head(title: str) -> None:
        console.print(styled("\n", (title, "bold")))

    take, request = explanation.take, explanation.take.request
    console.print(
        styled(
            (f"{take.shot} take {take.take}", "bold"),
            ", drawn on this machine" if take.chosen.is_card else f" from {request.provider}",
        )
    )
    say(*(f"  {name:<12}{value}" for name, value in facts_of(explanation)))
    if explanation.attachments:
        head("what goes with it")
        say(*(f"  {_attachment_line(each)}" for each in explanation.attachments))
    if request.board:
        head("the words" if request.board.written else "the board")
        say(*(f"  {name:<12}{value}" for name, value in _board_lines(request.board)))
    if request.prompt:
        head("the prompt")
        say(f"  {request.prompt}")
    if request.negative_prompt:
        head("what to avoid")
        say(f"  {request.negative_prompt}")
    if call := explanation.http_request:
        head("the request")
        say(f"{call.method} {call.url}", *(f"{name}: {value}" for name, value in call.headers.items()), "")
        say(json.dumps(call.body, ensure_ascii=False, indent=2))


def facts_of(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """The facts about a take that are printed before its attachments, each with its name."""
    take, request = explanation.take, explanation.take.request
    if not take.chosen.is_card:
        yield "asked for", f"{request.mode.value}: {explanation.why}"
        yield "model", request.model
    size = f"{request.width}×{request.height}"
    if take.kind == "clip":
        about = "≈ " if take.is_estimate else ""
        yield (
            "length",
            f"{about}{float(take.cut_seconds):.4g} s in the cut, {float(request.seconds):.4g} s made, {size}",
        )
    elif take.is_picture:
        yield "size", size
    else:
        spoken = (("voice", request.voice), ("language", request.language), ("delivery", request.delivery))
        yield from (each for each in spoken if each[1])
    if not take.chosen.is_free:
        price = str(take.price) if take.price else "not known (`storyreel prices`)"
        yield "price", "; ".join(filter(None, (price, take.chosen.price_note)))
    if take.kind != "speech" and not take.chosen.is_card:
        yield "seed", str(request.seed)
    if request.prompt and take.kind == "clip":
        yield "expansion", "on: the service rewrites the prompt" if request.expand_prompt else "off"
    if take.laid_with(take.chosen):
        why = f": {take.chosen.why_laid}" if take.chosen.why_laid else ""
        yield "recording", f"laid under the shot in the place of the clip's own sound{why}"
    if take.grading:
        yield "grade", f"{take.grading.in_words}, in the film alone: its clip is kept as it was made"
    if label := take.label_of(take.chosen):
        yield "label", f"“{label.text}” at the {label.corner}, in the film alone"
    if request.watermark:
        yield "watermark", "the service marks the clip as AI generated"
    yield "key", take.key
    yield "state", f"{take.state}: {reason_of(take)}"


def _attachment_line(each: ExplainedAttachment) -> str:
    shows = f" ({each.shows})" if each.shows else ""
    return f"{each.label}{shows}: {each.source}; {each.travels}"


def _board_lines(board: Board) -> Iterator[tuple[str, str]]:
    if written := board.written:
        yield from written.lines
        yield "lettering", ", ".join(filter(None, (written.lettering.style, written.lettering.colour or "")))
        yield "length", f"{counted(board.frames, 'frame')} at {board.rate} fps"
        return
    yield "slate", ", ".join(filter(None, (board.film, board.scene, board.slate)))
    yield "camera", f"{board.size}, {board.camera}" if board.size else board.camera
    if board.place:
        yield "place", board.place
    yield "action", board.action
    for speaker, line in board.dialogue:
        yield "dialogue", f"{speaker}: {line}"
    yield "length", f"{counted(board.frames, 'frame')} at {board.rate} fps"
