"""What is asked of a service for a shot: the mode, the references that go with it, the sold length, the request.

Pure but for the digests of local files, which the caller gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction

from storyreel.specs.cut import Anchor, Event
from storyreel.specs.storyboard import Mode, Shot, Storyboard
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Board, Request
from storyreel.tasks.request.attachments import Attaching
from storyreel.tasks.request.local_files import LocalFiles
from storyreel.tasks.request.prompt import called, compose, fill
from storyreel.tasks.request.unfit import Digest, Unfit, instead

__all__ = ["Digest", "Unfit", "takes"]


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
    files: LocalFiles | None = None,
    has_bucket: bool = False,
) -> Iterator[Request]:
    """The requests for all takes of a shot, in order.

    `continued` is the key of the take whose last frame the shot begins with. `files` are given where many shots are
    planned, so that each file is opened once; `has_bucket` says whether the user has one that services can fetch from.
    Raises Unfit when the service cannot take them.
    """
    mode = shot.mode or _mode(storyboard, shot)
    capability = provider.capabilities.get(mode)
    if capability is None:
        able = ", ".join(provider.capabilities) or "nothing"
        raise Unfit("mode", f"{provider.name} does not do {mode}; it does {able}", instead(mode, lambda _: True))
    attaching = Attaching(storyboard, shot, provider, capability, digest, files or LocalFiles(), has_bucket)
    attached = attaching.all(continued)
    frames = _needed_frames(shot, event, anchor, capability)
    with_video = any(reference.kind == "video" for reference in attached.references)
    request = Request(
        provider=provider.name,
        model=capability.model,
        mode=mode,
        prompt="" if capability.draws_board else _prompt(storyboard, shot, attached.references, capability),
        negative_prompt="" if capability.draws_board else _negative(storyboard, capability),
        seed=0,
        seconds=_sold(shot, capability, frames, storyboard, with_video),
        aspect_ratio=_ratio(storyboard, capability, provider),
        resolution=_resolution(storyboard, capability, provider),
        width=storyboard.format.size[0],
        height=storyboard.format.size[1],
        references=attached.references,
        first_frame=attached.first_frame,
        last_frame=attached.last_frame,
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


def _mode(storyboard: Storyboard, shot: Shot) -> Mode:
    if storyboard.references_of(shot):
        return Mode.REFERENCE
    return Mode.IMAGE if shot.continues or shot.first_frame or shot.last_frame else Mode.TEXT


def _sold(shot: Shot, capability: Capability, frames: int, storyboard: Storyboard, with_video: bool) -> Fraction:
    rate = storyboard.format.fps
    seconds = capability.shortest_sold(frames, rate, with_video)
    if seconds is None:
        longest = (capability.sold_seconds(with_video) or (0,))[-1]
        because = " with a reference video" if with_video and capability.durations_with_video else ""
        shorter = f"make it {longest}s or shorter, or split it into two shots of which one continues the other"
        raise Unfit(
            "duration",
            f"shot {shot.shot} needs {float(rate.seconds(frames)):.4g}s, but {capability.model} makes at most "
            f"{longest}s{because}",
            instead(capability.mode, lambda c: c.shortest_sold(frames, rate, with_video) is not None, shorter),
        )
    return seconds


def _prompt(storyboard: Storyboard, shot: Shot, references: tuple[Attachment, ...], capability: Capability) -> str:
    prompt = compose(storyboard, shot, references, capability)
    if capability.prompt_length is not None and len(prompt) > capability.prompt_length:
        shorter = "shorten the action, the descriptions or the look"
        raise Unfit(
            "action",
            f"the prompt of shot {shot.shot} has {len(prompt)} characters, {capability.model} reads "
            f"{capability.prompt_length}",
            instead(capability.mode, lambda c: (c.prompt_length or len(prompt)) >= len(prompt), shorter),
        )
    return prompt


def _negative(storyboard: Storyboard, capability: Capability) -> str:
    """What to avoid, where it is a field of its own."""
    avoid = storyboard.look.avoid if capability.negative_prompt else ""
    if capability.negative_length is not None and len(avoid) > capability.negative_length:
        raise Unfit(
            "action",
            f"look.avoid has {len(avoid)} characters, {capability.model} reads {capability.negative_length}",
            instead(capability.mode, lambda c: (c.negative_length or len(avoid)) >= len(avoid), "shorten it"),
            ("look", "avoid"),
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


def _ratio(storyboard: Storyboard, capability: Capability, provider: type[Provider]) -> str:
    ratio = storyboard.format.aspect_ratio
    if ratio not in capability.ratios:
        what = f"{provider.name} has no aspect ratio {ratio}; it has {', '.join(capability.ratios)}"
        raise Unfit("provider", what, instead(capability.mode, lambda c: ratio in c.ratios, "choose one that it has"))
    return ratio


def _resolution(storyboard: Storyboard, capability: Capability, provider: type[Provider]) -> str:
    wanted = storyboard.format.resolution
    if wanted not in capability.resolutions:
        what = f"{provider.name} has no resolution {wanted}; it has {', '.join(capability.resolutions)}"
        able = instead(capability.mode, lambda c: wanted in c.resolutions, "choose one that it has")
        raise Unfit("provider", what, able)
    return wanted
