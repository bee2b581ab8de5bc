"""The statements of a film's credentials: its takes, their makers, and the steps by which they came into it.

The forms are those of the C2PA specification 2.4, as c2pa-rs 0.91.3 checks it, and of the IPTC's Digital Source Types;
both read on 2026-11-29.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from storyreel.specs.frozen import Frozen
from storyreel.tasks.credentials.library import OF_TAKE

GENERATED, DRAWN, MIXED = "trainedAlgorithmicMedia", "digitalCreation", "compositeSynthetic"
"""By a model; by a program that has learned nothing; of both."""
SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

_FORMATS = {
    "mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "png": "image/png", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif", "wav": "audio/wav", "mp3": "audio/mpeg",
    "m4a": "audio/mp4", "flac": "audio/flac",
}  # fmt: skip


class ClaimedTake(Frozen):
    """A take that a film is made of."""

    name: str
    """For people, unique in its film: `1A take 2`."""
    file: Path
    """Its clip, picture or sound as it came from the service."""
    digest: str
    """SHA-256 of the file, in hex."""
    kind: str
    """`clip`, `still`, `sheet` or `speech`."""
    shots: tuple[str, ...]
    """The slates under which it is in the film; several where their requests are the same."""
    service: str
    model: str
    is_generated: bool
    """Whether a model made it; else it is drawn by a program."""
    key: str
    """The take's key in the ledger."""
    made: str = ""
    """The time at which it was finished, in UTC: `2026-11-29T10:00:00Z`; empty if unknown."""
    prompt: str = ""
    """The words of its request; empty unless the storyboard wants them in the credentials."""
    is_seen: bool = True
    """Whether it is seen or heard in the film; else other takes were made of it."""

    @property
    def source(self) -> str:
        """The address of its digital source type."""
        return SOURCES + (GENERATED if self.is_generated else DRAWN)

    @property
    def form(self) -> str:
        """The media type of its file."""
        return _FORMATS.get(self.file.suffix.lower().lstrip("."), "application/octet-stream")

    def as_ingredient(self) -> dict[str, Any]:
        """Its form as an ingredient, without what is in its file."""
        facts = self.model_dump(mode="json", exclude={"file", "is_seen", "is_generated"}) | {"source": self.source}
        return {
            "title": self.name,
            "label": self.name,
            "format": self.form,
            "relationship": "componentOf" if self.is_seen else "inputTo",
            "metadata": {
                OF_TAKE: {name: value for name, value in facts.items() if value},
                **({"dateTime": self.made} if self.made else {}),
            },
        }


class FilmClaim(Frozen):
    """The statements of a film's credentials."""

    title: str
    author: str = ""
    takes: tuple[ClaimedTake, ...]
    edits: tuple[str, ...] = ()
    """The steps that changed the takes, a sentence for each."""

    @property
    def source(self) -> str:
        """The address of the film's digital source type."""
        kinds = {take.is_generated for take in self.takes if take.is_seen}
        return SOURCES + (MIXED if len(kinds) > 1 else GENERATED if True in kinds else DRAWN)

    def definition(self) -> dict[str, Any]:
        """The manifest, but for its ingredients. Says that it is made now."""
        begun: dict[str, Any] = {
            "action": "c2pa.created",
            "when": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "digitalSourceType": self.source,
            "softwareAgent": _program(),
        }
        if behind := [take.name for take in self.takes if not take.is_seen]:
            begun["parameters"] = {"ingredientIds": behind}
        # One action for all takes of a model, as c2pa-rs 0.91.3 takes no text of more than 1 MiB. It refuses a second
        # `created`, and a `placed` that is no component.
        actions = [begun, *self._placed()]
        actions += [{"action": "c2pa.edited", "description": edit, "softwareAgent": _program()} for edit in self.edits]
        assertions = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]
        if self.author:
            names = {"@context": {"dc": "http://purl.org/dc/elements/1.1/"}, "dc:title": self.title}
            assertions.append({"label": "cawg.metadata", "data": names | {"dc:creator": [self.author]}})
        return {"claim_generator_info": [_program()], "title": self.title, "assertions": assertions}

    def _placed(self) -> Iterator[dict[str, Any]]:
        by_maker: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for take in self.takes:
            if take.is_seen:
                by_maker[take.source, take.model, take.service].append(take.name)
        for (source, model, service), names in by_maker.items():
            yield {
                "action": "c2pa.placed",
                "digitalSourceType": source,
                "softwareAgent": {"name": model},
                "description": f"made by {model} at {service}" if model != service else f"made by {model}",
                "parameters": {"ingredientIds": names},
            }


def _program() -> dict[str, str]:
    return {"name": "Storyreel", "version": version("storyreel")}
