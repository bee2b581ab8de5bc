"""The attachments of a shot's request: its first and last frame, the references of what it shows, and their voices.

A file that the service would refuse, or that cannot be sent to it, is found here, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from storyreel.specs.derived.lines import pad_of
from storyreel.specs.problems.phrases import shown
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import Mode, Reference, Shot, TakeEdit
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.request import Attachment, Crop, Use
from storyreel.tasks.request.local_files import kind_for
from storyreel.tasks.request.materials import NO_PICTURES, Materials, Pictures, Upstream
from storyreel.tasks.request.recordings import why_not_sent
from storyreel.tasks.request.references import Sheet, choose_references, subjects_of
from storyreel.tasks.request.unsupported import Unsupported, alternatives
from storyreel.tasks.settings import MEDIA_URL

STILL = "still:"
"""Beginning of the digest of a picture that is made before the shot; the identity of its take follows."""
SPEECH = "speech:"
"""The same of speech."""


class Attachments(NamedTuple):
    """The attachments of a shot."""

    first_frame: Attachment | None
    first_clip: Attachment | None
    last_frame: Attachment | None
    references: tuple[Attachment, ...]
    """In the order in which the prompt numbers them."""
    sound: Attachment | None


@dataclass(eq=False, repr=False)
class AttachmentBuilder:
    """Builds the attachments of one shot for one service."""

    materials: Materials
    shot: Shot
    service: str
    capability: Capability
    voices: frozenset[str]
    """The keys of the cast members whose voices are sent, where the service takes them."""
    made: Pictures = NO_PICTURES
    crop: Crop | None = None
    """The crop of pictures of the film's shape, in a request of another shape."""
    _problems: list[Unsupported] = field(default_factory=list, init=False)

    def build(self, continued: Upstream | None) -> Attachments:
        """All attachments; `continued` is the take that the shot continues. Raises Unsupported."""
        first_clip = self._first_clip(continued)
        first_frame = None if self._goes_on else self._first_frame(continued)
        last_frame = self._last_frame()
        references = self._known_references() if self._mode in (Mode.REFERENCE, Mode.STILL) else ()
        if self._problems:
            first, *others = self._problems
            raise Unsupported(first.field, first.message, first.hint, first.at, tuple(others))
        return Attachments(first_frame, first_clip, last_frame, references, self._sound())

    @property
    def _goes_on(self) -> bool:
        """Whether the service gets the end of another clip. What is drawn begins with its last frame in any case."""
        return self.shot.continues_clip and not self.capability.draws_board

    def _first_clip(self, continued: Upstream | None) -> Attachment | None:
        """The end of the clip before: as little as the service takes, as it is part of what is bought."""
        if not self._goes_on or continued is None:
            return None
        before = self.shot.upstream
        if self.capability.first_clip is None:
            what = f"{self.service} goes on from no clip in {self._mode}"
            otherwise = "write `with: frame`"
            if self._mode is not Mode.IMAGE:
                otherwise = f"write `mode: {Mode.IMAGE}`, which sends no references, or {otherwise}"
            hint = alternatives(self.shot.model, self._mode, lambda c: c.first_clip is not None, otherwise)
            self._problems.append(Unsupported("continues", what, hint))
            return None
        least, _ = self.capability.first_clip
        if continued.seconds is not None and continued.seconds < least:
            has = f"that of {before} has {float(continued.seconds):.4g}"
            what = f"{self.service} goes on from a clip of {least} s or more, and {has}"
            self._problems.append(Unsupported("continues", what, f"make {before} longer, or write `with: frame`"))
        if not self._can_send("first_clip"):
            self._problems.append(self._links_only(f"the end of {before}", "first_clip", "continues", ()))
        digest = f"take:{continued.key} last {least} s"
        return Attachment(kind="video", digest=digest, source="", seconds=Fraction(least))

    def _first_frame(self, continued: Upstream | None) -> Attachment | None:
        field = "continues" if self.shot.continues else "still" if self.made.still else "first_frame"
        if not (self.shot.continues or self.shot.first_frame or self.made.still):
            return None
        if not self.capability.first_frame:
            what = f"{self.service} begins no clip with a given picture in {self._mode}"
            otherwise = f"remove {'' if self._mode is Mode.REFERENCE else '`mode` or '}`{field}`"
            hint = alternatives(
                self.shot.model, self._mode, lambda c: c.first_frame, self._without_references(otherwise)
            )
            self._problems.append(Unsupported(field, what, hint))
            return None
        if self.made.still:
            return self._still(self.made.still, "first_frame", "still")
        if continued or not self.shot.first_frame:
            if not self._can_send("first_frame"):
                self._problems.append(self._links_only("the last frame of another shot", "first_frame", field, ()))
            frame = Attachment(kind="image", digest=f"take:{continued.key if continued else None}", source="")
            return frame.cut_to(self.crop) if self.crop and continued and continued.has_other_shape else frame
        return self._attachment(self.shot.first_frame, "first_frame", field, ())

    def _last_frame(self) -> Attachment | None:
        field = "last_still" if self.made.last_still else "last_frame"
        if not (self.shot.last_frame or self.made.last_still):
            return None
        if not self.capability.last_frame:
            what = f"{self.service} ends no clip with a given picture in {self._mode}"
            otherwise = self._without_references(f"remove `{field}`")
            hint = alternatives(self.shot.model, self._mode, lambda c: c.last_frame, otherwise)
            self._problems.append(Unsupported(field, what, hint))
            return None
        if self.made.last_still:
            return self._still(self.made.last_still, "last_frame", field)
        if not self.shot.last_frame:
            return None
        return self._attachment(self.shot.last_frame, "last_frame", "last_frame", ())

    def _still(self, identity: str, use: Use, field: str, at: KeyPath = (), subject: str = "") -> Attachment:
        """The attachment of a picture that is made before the shot."""
        if not self._can_send(use):
            self._problems.append(self._links_only("a picture that is made before", use, field, at))
        voice = self._voice(subject) if subject else None
        return Attachment(kind="image", digest=f"{STILL}{identity}", source="", subject=subject, voice=voice)

    def _without_references(self, otherwise: str) -> str:
        """Advice about a frame that references exclude."""
        if self._mode is not Mode.REFERENCE:
            return otherwise
        return f"write `mode: {Mode.IMAGE}`, which sends no references, or {otherwise}"

    def _known_references(self) -> tuple[Attachment, ...]:
        shot = self.shot
        # All that they depend on, if nothing is wrong with them.
        speakers = tuple(line.speaker for line in shot.dialogue)
        shows = (shot.cast, shot.location, shot.references, self.voices, speakers, self.made.sheets)
        which = (self.service, self.capability.model, self._mode, shows)
        if which in self.materials.known:
            return self.materials.known[which]
        references = self._references()
        if not self._problems:
            self.materials.known[which] = references
        return references

    def _references(self) -> tuple[Attachment, ...]:
        """The references that the service is sent, in the order in which the prompt numbers them."""
        subjects = subjects_of(self.materials.storyboard, self.shot, self._mode, self.made.sheets)
        chosen, problems = choose_references(self.shot, subjects, self.capability)
        self._problems.extend(problems)
        references = [self._reference(*one) for one in chosen]
        self._check_videos(references)
        return tuple(references if self.capability.voices is None else self._with_counted_voices(references))

    def _check_videos(self, references: Sequence[Attachment]) -> None:
        """Find videos that are too long together. Those of unknown length are not counted."""
        videos = [one.seconds or Fraction(0) for one in references if one.kind == "video"]
        together = sum(videos)

        def most(capability: Capability) -> int | None:
            return capability.media.all_videos_seconds if capability.media else None

        limit = most(self.capability)
        if limit is not None and len(videos) > 1 and together > limit:
            self._problems.append(
                Unsupported(
                    "references",
                    f"the reference videos of shot {self.shot.shot} are {float(together):.3g}s long together, "
                    f"{self.service} takes {limit}s",
                    alternatives(
                        self.shot.model,
                        self._mode,
                        lambda c: (other := most(c)) is None or together <= other,
                        "cut them shorter, or show fewer",
                    ),
                )
            )

    def _with_counted_voices(self, references: Sequence[Attachment]) -> Iterator[Attachment]:
        """The references with each voice once, and with as many as the service takes, those of speakers first."""
        limits, kept, seconds = self.capability.media, set[str](), Fraction(0)
        most = limits.all_voices_seconds if limits else None
        voices = {one.subject: one.voice for one in references if one.voice}
        speaking = {line.speaker for line in self.shot.dialogue}
        for who in sorted(voices, key=lambda who: who not in speaking):
            voice = voices[who]
            length = self.materials.files.seconds(Path(voice.source), "voice") if voice.is_local else None
            longer = seconds + (length or 0)
            if len(kept) < (self.capability.voices or 0) and (most is None or longer <= most):
                kept.add(who)
                seconds = longer
        for reference in references:
            is_sent = reference.subject in kept
            kept.discard(reference.subject)
            yield reference if is_sent else reference.model_copy(update={"voice": None})

    def _reference(self, subject: str, number: int, reference: Reference) -> Attachment:
        use: Use = "video" if reference.is_video else "image"
        field = "cast" if subject in self.shot.cast else "location" if subject else "references"
        section = {"cast": "cast", "location": "locations"}.get(field)
        if isinstance(reference, Sheet):
            return self._still(reference.source, use, field, (section or "cast", subject, "sheet"), subject)
        number -= subject in dict(self.made.sheets)  # which is before those that are written
        at: KeyPath = (section, subject, "references", number, use) if section else ()
        return self._attachment(reference.source, use, field, at, subject, self._voice(subject))

    def _voice(self, subject: str) -> Attachment | None:
        """The voice of a cast member who is heard in the shot. That the service cannot be sent it is no error.

        That it does not take the file is one only if a line is spoken with it.
        """
        voice = self.materials.storyboard.cast[subject].voice if subject in self.voices else None
        if not voice or not self.capability.voice:
            return None
        file, limits = self.materials.storyboard.resolve(voice), self.capability.media
        if isinstance(file, Path):
            is_spoken = any(line.speaker == subject for line in self.shot.dialogue)
            is_unfit = limits and not is_spoken and self.materials.files.problem_with(file, "voice", limits)
            if is_unfit or not self._can_send("voice"):
                return None
        return self._attachment(voice, "voice", "cast", ("cast", subject, "voice"))

    def _sound(self) -> Attachment | None:
        """The recording that the clip is made to; None if there is none, or it is laid under the shot."""
        speech = self.made.speech
        if not (self.shot.recordings or speech) or not self.capability.sound:
            return None
        if why_not_sent(self.materials, self.shot, self.capability, speech):
            return None
        sound = speech[0] if speech else self._attachment(self.shot.recordings[0], "sound", "sound", ())
        rate = self.materials.storyboard.format.fps
        if not (pad := pad_of(self.shot, rate)):
            return sound
        # The clip begins with the shot, and the first word after its pad.
        silence = rate.seconds(pad)
        return sound.model_copy(update={"digest": f"{sound.digest} after {silence} s", "silence": silence})

    def _attachment(
        self, source: str, use: Use, field: str, at: KeyPath, subject: str = "", voice: Attachment | None = None
    ) -> Attachment:
        """The attachment of a file or address. A remote file is never downloaded to plan."""
        file = self.materials.storyboard.resolve(source)
        kind = kind_for(use)
        crop = self.crop if use in ("first_frame", "last_frame") else None
        if not isinstance(file, Path):
            if crop:
                what = f"the picture at `{shown(source)}` is not on this machine, and cannot be cut to another shape"
                self._problems.append(Unsupported(field, what, "give a file", at))
            return Attachment(kind=kind, digest=f"url:{file}", source=file, subject=subject, voice=voice)
        limits = self.capability.media
        if limits and (problem := self.materials.files.problem_with(file, use, limits)):
            hint = alternatives(
                self.shot.model,
                self._mode,
                lambda c: not (c.media and self.materials.files.problem_with(file, use, c.media)),
                problem.hint,
            )
            what = f"{self.service} does not take `{shown(source)}`: it {problem.what}"
            self._problems.append(Unsupported(field, what, hint, at))
            return Attachment(kind=kind, digest="", source=str(file))
        if not self._can_send(use):
            self._problems.append(self._links_only(f"the file `{shown(source)}`", use, field, at))
        seconds = self.materials.files.seconds(file, "video") if use == "video" else None
        attachment = Attachment(
            kind=kind,
            digest=f"sha256:{self.materials.digest(file)}",
            source=str(file),
            subject=subject,
            voice=voice,
            seconds=seconds,
        )
        return attachment.cut_to(crop) if crop else attachment

    def edited(self, take: Upstream, name: str) -> Attachment:
        """The clip of the take that is edited, which a message calls `name`. Raises Unsupported."""
        limits, seconds = self.capability.edits, take.seconds
        if limits and seconds is not None and not limits[0] <= seconds <= limits[1]:
            has = f"{name} has {float(seconds):.4g}"
            what = f"{self.service} edits clips of {limits[0]} to {limits[1]} s, and {has}"
            hint = alternatives(
                self.shot.model,
                self._mode,
                lambda c: c.edits is not None and c.edits[0] <= seconds <= c.edits[1],
                f"edit a take of {limits[0]} to {limits[1]} s",
            )
            raise Unsupported("edit", what, hint)
        if not self._can_send("edited"):
            raise self._links_only(f"the clip of {name}", "edited", "edit", ())
        return Attachment(kind="video", digest=f"take:{take.key}", source="", seconds=take.seconds)

    def pictures(self, edit: TakeEdit) -> tuple[Attachment, ...]:
        """The pictures of an edit. Raises Unsupported."""
        most = self.capability.images
        if most is not None and len(edit.references) > most:
            count = len(edit.references)
            has = f"{count} picture{'s' * (count > 1)}, and {self.service} takes {most or 'none'} beside the clip"
            hint = alternatives(
                self.shot.model,
                self._mode,
                lambda c: c.images is None or count <= c.images,
                "show fewer" if most else "remove `references` of the edit",
            )
            raise Unsupported("edit", f"the edit has {has}", hint)
        found = tuple(self._attachment(picture, "image", "edit", ()) for picture in edit.references)
        if self._problems:
            first, *others = self._problems
            raise Unsupported(first.field, first.message, first.hint, first.at, tuple(others))
        return found

    def _can_send(self, use: Use) -> bool:
        """Whether the service can read a local file: from the request, its own store or the user's bucket."""
        return self.materials.has_bucket or self.capability.accepts_local_file(use)

    def _links_only(self, what: str, use: Use, field: str, at: KeyPath) -> Unsupported:
        otherwise = f"set {MEDIA_URL} to a bucket of yours"
        otherwise += "" if field in ("continues", "edit") else ", or give an http address"
        return Unsupported(
            field,
            f"{self.service} cannot be sent {what}: in {self._mode} it takes links only",
            alternatives(self.shot.model, self._mode, lambda c: c.accepts_local_file(use), otherwise),
            at,
        )

    @property
    def _mode(self) -> Mode:
        return self.capability.mode
