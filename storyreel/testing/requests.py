"""Requests as a plan would build them, and those by which a service's promises are tried."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Request

_SIZES = {"480p": 480, "720p": 720, "1080p": 1080}
_MOST_REFERENCES = 3
"""Of each kind, where a service has no limit."""


def image(name: str = "https://films.example/mira.png", **more: Any) -> Attachment:
    """A picture behind a link."""
    return Attachment(kind="image", digest=f"url:{name}", source=name, **more)


def local_image(file: Path) -> Attachment:
    """A picture of this machine, as it is now."""
    return Attachment(kind="image", digest=f"sha256:{sha256(file.read_bytes()).hexdigest()}", source=str(file))


def video(name: str = "https://films.example/walk.mp4", **more: Any) -> Attachment:
    """A video behind a link."""
    return Attachment(kind="video", digest=f"url:{name}", source=name, **more)


def voice(name: str = "https://films.example/mira.wav") -> Attachment:
    """A recording of a voice behind a link."""
    return Attachment(kind="voice", digest=f"url:{name}", source=name)


def sound(name: str = "https://films.example/line.wav") -> Attachment:
    """A recording of a line behind a link."""
    return Attachment(kind="sound", digest=f"url:{name}", source=name)


def request_for(service: type[Provider], capability: Capability, **changes: Any) -> Request:
    """A request that a capability allows; `changes` are fields of Request."""
    mode, is_picture = capability.mode, capability.mode is Mode.STILL
    if mode is Mode.SPEECH:
        return Request(**{**_speech_of(service, capability), **changes})
    fields: dict[str, Any] = {
        "provider": service.name,
        "model": capability.model,
        "mode": mode,
        "prompt": "A lamp is lit.",
        "negative_prompt": "",
        "seed": 7,
        "seconds": Fraction(0 if is_picture else 5),
        **_size("1080p" if is_picture else "720p", "16:9"),
        "references": (image(),) if mode is Mode.REFERENCE else (),
        "first_frame": image("https://films.example/board.png") if mode is Mode.IMAGE else None,
        "take": 1,
    }
    return Request(**{**fields, **(_edit_of(5) if mode is Mode.EDIT else {}), **changes})


def _speech_of(service: type[Provider], capability: Capability) -> dict[str, Any]:
    """The fields of a request for a spoken line."""
    return {
        "provider": service.name,
        "model": capability.model,
        "mode": Mode.SPEECH,
        "prompt": "A lamp is lit.",
        "negative_prompt": "",
        "seed": 0,
        "seconds": Fraction(0),
        "aspect_ratio": "",
        "resolution": "",
        "width": 0,
        "height": 0,
        "references": (),
        "first_frame": None,
        "voice": capability.speakers[0] if capability.speakers else "Ann",
        "language": capability.languages[0] if capability.languages else "en",
        "take": 1,
    }


def _edit_of(seconds: int) -> dict[str, Any]:
    """The fields of an edit of all of a clip of this length."""
    clip = video(f"https://films.example/clip-{seconds}.mp4", seconds=Fraction(seconds))
    return {"edited": clip, "audio": "origin", "seconds": clip.seconds}


def promised(service: type[Provider]) -> Iterator[Request]:
    """For each model and mode, requests that go to the ends of what its capability promises."""
    for model in service.models.values():
        for capability in model.modes.values():
            if capability.mode is Mode.SPEECH:
                yield from (request_for(service, capability, **changes) for changes in _ends_of_speech(capability))
                continue
            for changes in _ends(capability):
                yield request_for(service, capability, **_usual(capability) | changes)


def _ends_of_speech(capability: Capability) -> Iterator[dict[str, Any]]:
    yield {}
    for name, all_ in (("voice", capability.speakers), ("language", capability.languages)):
        yield from ({name: value} for value in dict.fromkeys((all_[0], all_[-1]) if all_ else ()))
    yield {"language": ""}
    if capability.delivery:
        yield {"delivery": "Whispered, and slowly."}
    if capability.prompt_length:
        yield {"prompt": "a" * capability.prompt_length}
        yield {"prompt": "海" * (capability.prompt_length // capability.han_counts)}


def _usual(capability: Capability) -> dict[str, Any]:
    sold = capability.durations or (5,)
    seconds = min(sold, key=lambda second: abs(second - 5))
    return {"seconds": Fraction(seconds), **_size(capability.resolutions[0], capability.ratios[0])}


def _size(resolution: str, ratio: str) -> dict[str, Any]:
    short = _SIZES[resolution]
    width, height = map(int, ratio.split(":"))
    long = round(short * max(width, height) / min(width, height) / 2) * 2
    wide, high = (long, short) if width >= height else (short, long)
    return {"resolution": resolution, "aspect_ratio": ratio, "width": wide, "height": high}


def _ends(capability: Capability) -> Iterator[dict[str, Any]]:
    yield {}
    for seconds in {capability.durations[0], capability.durations[-1]} if capability.durations else {3}:
        yield {"seconds": Fraction(seconds)} if capability.mode is not Mode.EDIT else _edit_of(seconds)
    if capability.edits:
        shortest, longest = capability.edits
        yield from (_edit_of(shortest), _edit_of(longest), {"audio": "auto"})
        if capability.edits_part:
            yield _edit_of(longest) | {"seconds": Fraction(shortest)}
        if capability.images:
            yield {"references": _most_images(capability)}
    for resolution in capability.resolutions:
        yield _size(resolution, capability.ratios[0])
    for ratio in capability.ratios:
        yield _size(capability.resolutions[0], ratio)
    if capability.negative_prompt:
        yield {"negative_prompt": "rain"}
    if capability.last_frame and capability.mode is Mode.IMAGE:
        yield {"last_frame": image("https://films.example/end.png")}
    if capability.sound:
        yield {"sound": sound()}
    if capability.prompt_expansion:
        yield {"expand_prompt": True}
    if capability.watermark:
        yield {"watermark": True}
    if capability.mode in (Mode.REFERENCE, Mode.STILL):
        yield {"references": _most_images(capability)}
    if capability.mode is Mode.STILL:
        yield {"references": (image(),)}


def _most_images(capability: Capability) -> tuple[Attachment, ...]:
    limits = (one for one in (capability.images, capability.references) if one is not None)
    most = min(limits, default=_MOST_REFERENCES)
    return tuple(image(f"https://films.example/{number}.png") for number in range(1, most + 1))
