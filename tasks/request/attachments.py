"""What goes with a shot's request: the picture it begins with, references of whom and what it shows, their voices.

A file that the service would refuse, or that cannot come to it, is found here, before anything is sent.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from storyreel.specs.problems.phrases import shown
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import Mode, Reference, Shot, Storyboard
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Use
from storyreel.tasks.request.local_files import LocalFiles, Wrong, as_kind
from storyreel.tasks.request.unfit import Digest, Unfit, instead
from storyreel.tasks.settings import MEDIA_URL


class Attached(NamedTuple):
    """The attachments of a shot."""

    first_frame: Attachment | None
    last_frame: Attachment | None
    references: tuple[Attachment, ...]
    """As they are numbered."""


class Attaching:
    """The attachments of one shot for one service. Raises Unfit with all that is wrong with them."""

    def __init__(
        self,
        storyboard: Storyboard,
        shot: Shot,
        provider: type[Provider],
        capability: Capability,
        digest: Digest,
        files: LocalFiles,
        has_bucket: bool,
    ) -> None:
        self._storyboard, self._shot = storyboard, shot
        self._service, self._capability = provider.name, capability
        self._digest, self._files, self._has_bucket = digest, files, has_bucket
        self._wrong: list[Unfit] = []

    def all(self, continued: str | None) -> Attached:
        """All that goes with the request; `continued` is the key of the take that the shot goes on from."""
        first_frame, last_frame = self._first_frame(continued), self._last_frame()
        references = self._references() if self._capability.mode is Mode.REFERENCE else ()
        if self._wrong:
            first, *others = self._wrong
            raise Unfit(first.field, first.what, first.fix, first.at, tuple(others))
        return Attached(first_frame, last_frame, references)

    def _first_frame(self, continued: str | None) -> Attachment | None:
        field = "continues" if self._shot.continues else "first_frame"
        if not self._shot.continues and not self._shot.first_frame:
            return None
        if not self._capability.first_frame:
            what = f"{self._service} begins no clip with a given picture in {self._mode}"
            able = instead(self._mode, lambda c: c.first_frame, f"remove `mode` or `{field}`")
            self._wrong.append(Unfit(field, what, able))
            return None
        if continued or not self._shot.first_frame:
            if not self._can_come("first_frame"):
                self._wrong.append(self._cannot_come("the last frame of another shot", "first_frame", field, ()))
            return Attachment(kind="image", digest=f"take:{continued}", source="")
        return self._attached(self._shot.first_frame, "first_frame", field, ())

    def _last_frame(self) -> Attachment | None:
        if not self._shot.last_frame:
            return None
        if not self._capability.last_frame:
            what = f"{self._service} ends no clip with a given picture in {self._mode}"
            otherwise = "remove `last_frame`"
            if self._mode is not Mode.IMAGE:
                otherwise = f"write `mode: {Mode.IMAGE}`, which sends no references, or {otherwise}"
            self._wrong.append(Unfit("last_frame", what, instead(self._mode, lambda c: c.last_frame, otherwise)))
            return None
        return self._attached(self._shot.last_frame, "last_frame", "last_frame", ())

    def _references(self) -> tuple[Attachment, ...]:
        """As many as the service takes: everybody's first before anybody's second, grouped by whom they show."""
        whose = self._storyboard.references_of(self._shot)
        kept: list[tuple[int, int, Reference]] = []
        for rank, round_ in enumerate(zip_longest(*(references for _, references in whose))):
            for place, reference in enumerate(round_):
                if reference is None:
                    continue
                if _fits(self._capability, [one for *_, one in kept], reference):
                    kept.append((place, rank, reference))
                elif rank == 0:
                    self._wrong.append(self._too_many(whose[place][0], [one for *_, one in kept], reference))
        kept.sort(key=lambda item: item[:2])
        return tuple(self._reference(whose[place][0], rank, reference) for place, rank, reference in kept)

    def _too_many(self, who: str, kept: list[Reference], more: Reference) -> Unfit:
        return Unfit(
            "cast" if who in self._shot.cast else "references",
            f"shot {self._shot.shot} shows more people and places than {self._capability.model} takes references for",
            instead(
                self._mode,
                lambda c: _fits(c, kept, more),
                f"at most {_limit(self._capability)}; show fewer, or split the shot",
            ),
        )

    def _reference(self, who: str, number: int, reference: Reference) -> Attachment:
        use: Use = "video" if reference.is_video else "image"
        field = "cast" if who in self._shot.cast else "location" if who else "references"
        section = {"cast": "cast", "location": "locations"}.get(field)
        at: KeyPath = (section, who, "references", number, use) if section else ()
        attached = self._attached(reference.source, use, field, at)
        return attached.model_copy(update={"subject": who, "voice": self._voice(who)})

    def _voice(self, who: str) -> Attachment | None:
        """How somebody speaks, where the service can be sent that; what it cannot be sent may be meant for another."""
        member = self._storyboard.cast.get(who)
        if not member or not member.voice or not any(line.speaker == who for line in self._shot.dialogue):
            return None
        is_local = isinstance(self._storyboard.resolve(member.voice), Path)
        if not self._capability.voice or (is_local and not self._can_come("voice")):
            return None
        return self._attached(member.voice, "voice", "cast", ("cast", who, "voice"))

    def _attached(self, source: str, use: Use, field: str, at: KeyPath) -> Attachment:
        """A file or an address. A remote one is never downloaded to plan."""
        place = self._storyboard.resolve(source)
        kind = as_kind(use)
        if not isinstance(place, Path):
            return Attachment(kind=kind, digest=f"url:{place}", source=place)
        if wrong := self._wrong_file(place, use):
            what = f"{self._service} does not take `{shown(source)}`: it {wrong[0]}"
            able = instead(
                self._mode, lambda c: not (c.media and self._files.wrong_with(place, use, c.media)), wrong[1]
            )
            self._wrong.append(Unfit(field, what, able, at))
            return Attachment(kind=kind, digest="", source=str(place))
        if not self._can_come(use):
            self._wrong.append(self._cannot_come(f"the file `{shown(source)}`", use, field, at))
        seconds = self._files.seconds(place) if use == "video" else None
        return Attachment(kind=kind, digest=f"sha256:{self._digest(place)}", source=str(place), seconds=seconds)

    def _wrong_file(self, file: Path, use: Use) -> Wrong | None:
        limits = self._capability.media
        return self._files.wrong_with(file, use, limits) if limits else None

    def _can_come(self, use: Use) -> bool:
        """Whether a local file can be brought to where the service finds it."""
        return self._has_bucket or self._capability.accepts_local_file(use)

    def _cannot_come(self, which: str, use: Use, field: str, at: KeyPath) -> Unfit:
        otherwise = f"set {MEDIA_URL} to a bucket of yours"
        otherwise += "" if field == "continues" else ", or give an http address"
        return Unfit(
            field,
            f"{self._service} cannot be sent {which}: in {self._mode} it takes links only",
            instead(self._mode, lambda c: c.accepts_local_file(use), otherwise),
            at,
        )

    @property
    def _mode(self) -> Mode:
        return self._capability.mode


def unsent_voices(storyboard: Storyboard, shot: Shot, references: tuple[Attachment, ...]) -> list[str]:
    """Who is seen to speak in a shot and has a voice that does not go with the request, by their keys."""
    sent = {reference.subject for reference in references if reference.voice}
    speaking = dict.fromkeys(line.speaker for line in shot.dialogue if line.speaker in shot.cast)
    return [who for who in speaking if storyboard.cast[who].voice and who not in sent]


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
