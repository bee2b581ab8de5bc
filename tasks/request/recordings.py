"""The recordings and the speech of a shot: whether a service makes its clip to one, or they are laid under the shot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel.specs.derived.lines import lines_of, lines_of_shot
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.providers.request import Attachment
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.settings import MEDIA_URL

if TYPE_CHECKING:
    from storyreel.tasks.providers.capability import Capability
    from storyreel.tasks.request.materials import Materials


def why_not_sent(materials: Materials, shot: Shot, capability: Capability, speech: Sequence[Attachment] = ()) -> str:
    """The reason why a service is not sent the recordings of a shot, or the `speech` in their place; empty if it is, or
    if there are none."""
    count = len(speech or shot.recordings)
    if not count or capability.draws_board:
        return ""
    thing = "speech" if speech else "a recording"
    if not capability.sound:
        return f"{capability.model} makes no clip to {thing} in {capability.mode}"
    if shot.continues_clip:
        return f"{capability.model} makes no clip to {thing} if it goes on from another one"
    if count > 1:
        return f"a clip is made to one {'line' if speech else 'recording'}, and each line has its own"
    if limits := capability.media:
        file = Path(speech[0].source if speech else materials.storyboard.resolve(shot.recordings[0]))
        if speech and not speech[0].source:
            least, most = limits.sound_seconds
            problem = "" if least <= (speech[0].seconds or 0) <= most else f"may not have {least} to {most} s"
        else:
            found = materials.files.problem_with(file, "sound", limits)
            problem = found.what if found else ""
        if problem:
            return f"{capability.model} does not take it, as it {problem}"
    if not (materials.has_bucket or capability.accepts_local_file("sound")):
        return f"{capability.model} reads it from a link, and {MEDIA_URL} names no bucket"
    return ""


def recordings_of_film(
    film: Storyboard, files: LocalFileChecks, digest: Callable[[Path], str] = lambda _: ""
) -> Iterator[tuple[str, Attachment]]:
    """The recordings of lines and of whole shots, by slate."""
    of_lines = ((line.slate, line.sound) for line in lines_of(film))
    for slate, source in chain(of_lines, ((shot.shot, shot.sound) for shot in film.all_shots)):
        if source:
            file = Path(film.resolve(source))
            seconds = files.seconds(file, "sound")
            yield slate, Attachment(kind="sound", digest=f"sha256:{digest(file)}", source=str(file), seconds=seconds)


def recorded_lengths(
    film: Storyboard, shot: Shot, speech: Sequence[Attachment], files: LocalFileChecks
) -> dict[str, Fraction]:
    """The seconds of what is heard of a shot's dialogue, `speech` or recordings, as far as it is there, by slate."""
    dialogue = [line for line in lines_of_shot(film, shot) if line.kind == "dialogue"]
    found = {line.slate: one.seconds for line, one in zip(dialogue, speech, strict=False)}
    sources = [(shot.shot, shot.sound), *((line.slate, line.sound) for line in dialogue)]
    found |= {slate: files.seconds(Path(film.resolve(file)), "sound") for slate, file in sources if file}
    return {slate: seconds for slate, seconds in found.items() if seconds}


def recordings(materials: Materials, shot: Shot) -> Iterator[Attachment]:
    """The recordings of a shot, in their order."""
    for source in shot.recordings:
        file = Path(materials.storyboard.resolve(source))
        seconds = materials.files.seconds(file, "sound")
        yield Attachment(kind="sound", digest=f"sha256:{materials.digest(file)}", source=str(file), seconds=seconds)
