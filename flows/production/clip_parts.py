"""The files that a take gets of other takes: their pictures, or the last frame or the end of a clip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.planning.takes.pictures import pictures_in
from storyreel.flows.production.outcomes import MadeTake
from storyreel.specs.errors import StoryreelError
from storyreel.tasks.join.recording import write_after_silence
from storyreel.tasks.media.clip_end import end_version, write_end
from storyreel.tasks.media.frames import LAST_FRAME
from storyreel.tasks.providers import load
from storyreel.tasks.providers.capability import MediaLimits
from storyreel.tasks.providers.errors import FileChanged
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.request import Attachment, Crop, Request
from storyreel.tasks.providers.sent_file import check_planned
from storyreel.tasks.request.attachments import STILL
from storyreel.tasks.request.sendable import is_sendable, write_cut, write_sendable
from storyreel.tasks.storage.clips import Clip, cache_key, file_named_by_digest, place_by_digest
from storyreel.tasks.storage.digests import file_digest
from storyreel.tasks.storage.files import folder_beside
from storyreel.tasks.studio import Studio
from storyreel.tasks.threads import in_threads

Written = TypeVar("Written", Path, Path | None)


class ClipParts:
    """The parts of a run's clips that its other takes are made with. Each is written once.

    `by_identity` are the takes of the run; `made` and `once` are those of `TakeRuns`.
    """

    def __init__(
        self,
        studio: Studio,
        by_identity: Mapping[str, PlannedTake],
        made: Callable[[PlannedTake], asyncio.Future[MadeTake]],
        once: Callable[[Hashable, Callable[[], Coroutine[Any, Any, Any]]], asyncio.Future[Any]],
    ) -> None:
        self._studio, self._by_identity = studio, by_identity
        self._made, self._once = made, once

    async def fill(self, take: PlannedTake, candidate: Candidate) -> Request:
        """The request of a candidate with the files of the stills and sheets that it is made of; of a take that
        continues another, with the file that is made of that one's clip. Pictures of another shape are cut.

        The file is named by its digest, so that one that was damaged or replaced is known, and is written again.
        """
        request, before = await self._with_pictures(candidate.request), self._by_identity.get(take.continues or "")
        request = await self._with_cuts(request)
        if request.sound and request.sound.silence:
            sound = await self._after_silence(request.sound)
            found = {"source": str(sound), "frame_digest": sound.stem}
            request = request.model_copy(update={"sound": request.sound.model_copy(update=found)})
        use = next((use for use in ("edited", "first_clip", "first_frame") if getattr(request, use)), "")
        attachment: Attachment | None = getattr(request, use, None)
        if not take.continues or attachment is None:
            return request
        file: Path | None = None
        if before and request.edited:
            clip = (await self._made(before)).clip
            found = {"source": str(clip.path), "frame_digest": clip.digest}
            return request.model_copy(update={"edited": request.edited.model_copy(update=found)})
        if before and request.first_clip:
            file = await self._end(before, attachment.seconds or Fraction(0))
        elif before:
            file = await self._last_frame(before)
            file = await self._cut(file, attachment.crop) if file and attachment.crop else file
        found = {"source": str(file), "frame_digest": file.stem} if file else {"source": ""}
        return request.model_copy(update={use: attachment.model_copy(update=found)})

    async def first_frame(self, take: PlannedTake, candidate: Candidate) -> Path | None:
        """The file of the picture a take begins with; None if it has none, one at an address, if it was changed, or if
        another take had to make it for a clip that is there, and failed."""
        try:
            picture = (await self.fill(take, candidate)).first_frame
        except StoryreelError:
            if candidate.state != "cached":
                raise
            return None
        if picture is None or not picture.is_local or not picture.source:
            return None
        try:
            await asyncio.to_thread(check_planned, (picture,))
        except FileChanged:
            return None
        return Path(picture.source)

    async def _with_pictures(self, request: Request) -> Request:
        """The request with the file of each picture that is a take of this run."""
        pictures = {f"{STILL}{identity}": self._by_identity.get(identity) for identity in pictures_in((request,))}
        clips = {digest: (await self._made(take)).clip for digest, take in pictures.items() if take}
        if not clips:
            return request
        limits = find_capability(load(request.provider), request.model, request.mode).media
        files = {digest: await self._sendable(clip, limits) if limits else clip.path for digest, clip in clips.items()}

        def filled(attachment: Attachment | None) -> Attachment | None:
            file = files.get(attachment.digest) if attachment else None
            if attachment is None or file is None:
                return attachment
            return attachment.model_copy(update={"source": str(file), "frame_digest": file.stem})

        found = {
            "first_frame": filled(request.first_frame),
            "last_frame": filled(request.last_frame),
            "references": tuple(filter(None, map(filled, request.references))),
        }
        return request.model_copy(update=found)

    async def _with_cuts(self, request: Request) -> Request:
        """The request with the files that are written of the author's own pictures. Raises FileChanged."""
        found = {}
        for use in ("first_frame", "last_frame"):
            picture: Attachment | None = getattr(request, use)
            if picture and picture.crop and picture.source:
                planned = picture.model_copy(update={"digest": picture.digest.partition(" ")[0]})
                await asyncio.to_thread(check_planned, (planned,))
                file = await self._cut(Path(picture.source), picture.crop)
                found[use] = picture.model_copy(update={"source": str(file), "frame_digest": file.stem})
        return request.model_copy(update=found) if found else request

    def _cut(self, picture: Path, crop: Crop) -> asyncio.Future[Path]:
        return self._once(("cut", picture, crop), lambda: self._write_cut(picture, crop))

    async def _write_cut(self, picture: Path, crop: Crop) -> Path:
        """Write a picture in the shape of a deliverable; returns its file."""

        async def write(file: Path) -> Path:
            await asyncio.to_thread(write_cut, picture, crop, file)
            return file

        content = await asyncio.to_thread(file_digest, picture)
        return await self._kept(f"pictures/{content[:32]}-{cache_key(crop.model_dump())[:16]}", "cut.png", write)

    def _after_silence(self, sound: Attachment) -> asyncio.Future[Path]:
        return self._once(("silence", sound.digest), lambda: self._write_after_silence(sound))

    async def _write_after_silence(self, sound: Attachment) -> Path:
        """A recording, or speech, with silence before it, for a clip that begins before its first word."""
        source = Path(sound.source)

        async def write(file: Path) -> Path:
            await write_after_silence(source, sound.silence, file)
            return file

        content = await asyncio.to_thread(file_digest, source)
        return await self._kept(f"sounds/{content[:32]}-{cache_key(str(sound.silence))[:16]}", "sound.wav", write)

    def _sendable(self, picture: Clip, limits: MediaLimits) -> asyncio.Future[Path]:
        return self._once(("sendable", picture.digest, limits), lambda: self._write_sendable(picture, limits))

    async def _write_sendable(self, picture: Clip, limits: MediaLimits) -> Path:
        """The file of a picture, or a copy where a service with these limits does not take it as it was delivered."""

        async def write(file: Path) -> Path | None:
            return await asyncio.to_thread(write_sendable, picture.path, limits, file.parent)

        if await asyncio.to_thread(is_sendable, picture.path, limits):
            return picture.path
        place = f"pictures/{picture.digest[:32]}-{cache_key(limits.model_dump())[:16]}"
        return await self._kept(place, "sendable.png", write) or picture.path

    def _end(self, take: PlannedTake, seconds: Fraction) -> asyncio.Future[Path]:
        return self._once(("end", take.identity, seconds), lambda: self._write_end(take, seconds))

    def _last_frame(self, take: PlannedTake) -> asyncio.Future[Path | None]:
        return self._once(("frame", take.identity), lambda: self._write_last_frame(take))

    async def _write_end(self, take: PlannedTake, seconds: Fraction) -> Path:
        """Write the end of a clip that a continuing take goes on from; returns its file."""
        clip = (await self._made(take)).clip

        async def write(file: Path) -> Path:
            await write_end(clip.path, seconds, file)
            return file

        return await self._kept(f"ends/{clip.digest[:32]}-{end_version(seconds)}", "end.mp4", write)

    async def _write_last_frame(self, take: PlannedTake) -> Path | None:
        """Write the picture that a continuing take begins with; returns its file, None if the service makes none."""
        made = await self._made(take)
        request = await self.fill(take, made.candidate)

        async def write(file: Path) -> Path | None:
            # Another host may have examined the clip, and shared its last frame.
            await asyncio.to_thread(self._studio.clips.beside, made.clip.digest, LAST_FRAME)
            service = self._studio.provider(request.provider)
            return file if await service.write_last_frame(request, made.clip.path, file) else None

        return await self._kept(f"frames/{made.candidate.key[:32]}-{made.clip.digest[:16]}", "frame.png", write)

    async def _kept(self, place: str, name: str, write: Callable[[Path], Awaitable[Written]]) -> Path | Written:
        """The file that is kept in this folder of the house, or the one that `write` returns, kept from now on.

        It is written under `name` in a folder of its own, and kept under its digest. None if `write` returns None.
        """
        folder = self._studio.house_cache.folder / place
        if found := await asyncio.to_thread(file_named_by_digest, folder):
            return found
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        async with in_threads(folder_beside(folder / name)) as workshop:
            written = await write(workshop / name)
            return await asyncio.to_thread(place_by_digest, written, folder) if written else written
