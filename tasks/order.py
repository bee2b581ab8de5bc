"""What is asked of a service for a shot: the mode, the references that go with it, the sold length, the request.

Pure but for the digests of local files, which the caller gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

from specs.cut import Anchor, Event
from specs.storyboard import Mode, Reference, Shot, Storyboard
from tasks.prompt import called, compose, fill
from tasks.providers.base import Attachment, Board, Capability, Provider, Request

Digest = Callable[[Path], str]
"""SHA-256, in hex, of a local file's content."""


class Unfit(Exception):
    """A service cannot take what a shot asks. `field` is the shot's key that it is about."""

    def __init__(self, field: str, what: str, fix: str = "") -> None:
        self.field, self.what, self.fix = field, what, fix
        super().__init__(what)


def _needed_frames(shot: Shot, event: Event, anchor: Anchor, capability: Capability) -> int:
    """Frames that a take of the shot must have. Handles are asked for where they are free or wanted."""
    if capability.durations is not None and shot.handles == "hold":
        return event.frames
    head = event.head if anchor != "first" else 0
    tail = event.tail if anchor != "last" else 0
    return head + event.frames + tail


def takes(
    storyboard: Storyboard,
    shot: Shot,
    provider: type[Provider],
    event: Event,
    anchor: Anchor,
    continued: str | None,
    digest: Digest,
) -> Iterator[Request]:
    """The requests for all takes of a shot, in order.

    `continued` is the key of the take whose last frame the shot begins with.
    Raises Unfit when the service cannot take them.
    """
    first_frame = _first_frame(storyboard, shot, continued, digest)
    mode = shot.mode or _mode(storyboard, shot, first_frame)
    capability = provider.capabilities.get(mode)
    if capability is None:
        able = ", ".join(provider.capabilities) or "nothing"
        raise Unfit("mode", f"{provider.name} does not do {mode}; it does {able}")
    frames = _needed_frames(shot, event, anchor, capability)
    references = _references(storyboard, shot, capability, digest) if mode is Mode.REFERENCE else ()
    seconds = _sold(shot, capability, frames, storyboard, references)
    request = Request(
        provider=provider.name,
        model=capability.model,
        mode=mode,
        prompt="" if capability.draws_board else _prompt(storyboard, shot, references, capability),
        negative_prompt="" if capability.draws_board else _negative(storyboard, capability),
        seed=0,
        seconds=seconds,
        aspect_ratio=_known(storyboard.format.aspect_ratio, capability.ratios, "aspect ratio", provider.name),
        resolution=_known(storyboard.format.resolution, capability.resolutions, "resolution", provider.name),
        width=storyboard.format.size[0],
        height=storyboard.format.size[1],
        references=references,
        first_frame=first_frame,
        board=_board(storyboard, shot, frames) if capability.draws_board else None,
        take=1,
    )
    for number in range(1, shot.takes + 1):
        yield _numbered(request, number, shot.seed)


def _numbered(request: Request, number: int, seed: int | None) -> Request:
    """A take of its own: its number, and a seed that is the author's, counted on, or comes from all the rest."""
    take = request.model_copy(update={"take": number})
    if seed is None:
        seed = int.from_bytes(hashlib.sha256(take.canonical().encode()).digest()[:4]) % 2**31
        return take.model_copy(update={"seed": seed})
    return take.model_copy(update={"seed": (seed + number - 1) % 2**31})


def _mode(storyboard: Storyboard, shot: Shot, first_frame: Attachment | None) -> Mode:
    if storyboard.shown_in(shot):
        return Mode.REFERENCE
    return Mode.IMAGE if first_frame else Mode.TEXT


def _first_frame(storyboard: Storyboard, shot: Shot, continued: str | None, digest: Digest) -> Attachment | None:
    if continued:
        return Attachment(kind="image", digest=f"take:{continued}", source="")
    if shot.first_frame:
        return _attachment(storyboard, Reference(image=shot.first_frame), "", digest)
    return None


def _references(storyboard: Storyboard, shot: Shot, capability: Capability, digest: Digest) -> tuple[Attachment, ...]:
    """As many references as the service takes: everybody's first before anybody's second, grouped by whom they show."""
    shown = storyboard.shown_in(shot)
    kept: list[tuple[int, Reference]] = []
    for rank, round_ in enumerate(zip_longest(*(references for _, references in shown))):
        for place, reference in enumerate(round_):
            if reference is None:
                continue
            if _fits(capability, [r for _, r in kept], reference):
                kept.append((place, reference))
            elif rank == 0:
                raise Unfit(
                    "cast" if shown[place][0] in shot.cast else "references",
                    f"shot {shot.shot} shows more people and places than {capability.model} takes references for",
                    f"at most {_limit(capability)}; show fewer, or split the shot",
                )
    kept.sort(key=lambda item: item[0])
    return tuple(_attachment(storyboard, reference, shown[place][0], digest, shot) for place, reference in kept)


def _fits(capability: Capability, kept: list[Reference], more: Reference) -> bool:
    videos = sum(reference.is_video for reference in (*kept, more))
    images = len(kept) + 1 - videos
    return (
        (capability.references is None or videos + images <= capability.references)
        and (capability.videos is None or videos <= capability.videos)
        and (capability.images is None or images <= capability.images)
    )


def _limit(capability: Capability) -> str:
    if capability.references is not None:
        return f"{capability.references} together"
    return f"{capability.images} images and {capability.videos} videos"


def _attachment(
    storyboard: Storyboard, reference: Reference, whose: str, digest: Digest, shot: Shot | None = None
) -> Attachment:
    voice = None
    if shot and whose in storyboard.cast and any(line.speaker == whose for line in shot.dialogue):
        voice = storyboard.cast[whose].voice
    where, mark = _source(storyboard, reference.source, digest)
    return Attachment(
        kind="video" if reference.is_video else "image",
        digest=mark,
        source=where,
        whose=whose,
        voice=_voice(storyboard, voice, digest) if voice else None,
    )


def _voice(storyboard: Storyboard, voice: str, digest: Digest) -> Attachment:
    where, mark = _source(storyboard, voice, digest)
    return Attachment(kind="voice", digest=mark, source=where)


def _source(storyboard: Storyboard, written: str, digest: Digest) -> tuple[str, str]:
    """Where a file is, and what stands for it in a key."""
    place = storyboard.resolve(written)
    return (str(place), f"sha256:{digest(place)}") if isinstance(place, Path) else (place, f"url:{place}")


def _sold(
    shot: Shot, capability: Capability, frames: int, storyboard: Storyboard, references: Iterable[Attachment]
) -> Fraction:
    with_video = any(reference.kind == "video" for reference in references)
    seconds = capability.sold_for(frames, storyboard.format.fps, with_video)
    if seconds is None:
        longest = (capability.sold(with_video) or (0,))[-1]
        raise Unfit(
            "duration",
            f"shot {shot.shot} needs {float(storyboard.format.fps.seconds(frames)):.4g}s, "
            f"but {capability.model} makes at most {longest}s" + (" with a reference video" if with_video else ""),
            f"make it {longest}s or shorter, or split it into two shots of which one continues the other",
        )
    return seconds


def _prompt(storyboard: Storyboard, shot: Shot, references: tuple[Attachment, ...], capability: Capability) -> str:
    prompt = compose(storyboard, shot, references, capability)
    if capability.prompt_length is not None and len(prompt) > capability.prompt_length:
        raise Unfit(
            "action",
            f"the prompt of shot {shot.shot} has {len(prompt)} characters, {capability.model} reads "
            f"{capability.prompt_length}",
            "shorten the action, the descriptions or the look",
        )
    return prompt


def _negative(storyboard: Storyboard, capability: Capability) -> str:
    avoid = storyboard.look.avoid
    if capability.negative_length is not None and len(avoid) > capability.negative_length:
        raise Unfit(
            "action", f"look.avoid has {len(avoid)} characters, {capability.model} reads {capability.negative_length}"
        )
    return avoid


def _board(storyboard: Storyboard, shot: Shot, frames: int) -> Board:
    names = {who: called(storyboard, who) for who in (*storyboard.cast, *storyboard.locations)}
    scene = storyboard.scene_of(shot.shot)
    return Board(
        film=storyboard.title,
        scene=" ".join(filter(None, (scene.scene, scene.heading))) if scene else "",
        slate=shot.shot,
        size=shot.size or "",
        camera=shot.camera.move,
        action=fill(shot.action, names),
        dialogue=tuple((names.get(line.speaker, line.speaker), fill(line.line, names)) for line in shot.dialogue),
        place=called(storyboard, shot.location) if shot.location else "",
        frames=frames,
        rate=storyboard.format.fps,
    )


def _known(value: str, possible: tuple[str, ...], what: str, service: str) -> str:
    if value not in possible:
        raise Unfit("provider", f"{service} has no {what} {value}; it has {', '.join(possible)}")
    return value
