"""The recordings of a shot: whether a service makes its clip to one, or they are laid under the shot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.request import Attachment
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.settings import MEDIA_URL


def why_not_sent(
    storyboard: Storyboard, shot: Shot, capability: Capability, files: LocalFileChecks, *, has_bucket: bool
) -> str:
    """Why a service is not sent the recordings of a shot; empty if it is, or if there are none."""
    if not shot.recordings or capability.draws_board:
        return ""
    if not capability.sound:
        return f"{capability.model} makes no clip to a recording in {capability.mode}"
    if shot.continues_clip:
        return f"{capability.model} makes no clip to a recording if it goes on from another one"
    if len(shot.recordings) > 1:
        return "a clip is made to one recording, and each line has its own"
    file, limits = Path(storyboard.resolve(shot.recordings[0])), capability.media
    if limits and (problem := files.problem_with(file, "sound", limits)):
        return f"{capability.model} does not take it, as it {problem.what}"
    if not (has_bucket or capability.accepts_local_file("sound")):
        return f"{capability.model} reads it from a link, and {MEDIA_URL} names no bucket"
    return ""


def recordings(
    storyboard: Storyboard, shot: Shot, digest: Callable[[Path], str], files: LocalFileChecks
) -> Iterator[Attachment]:
    """The recordings of a shot, in their order."""
    for source in shot.recordings:
        file = Path(storyboard.resolve(source))
        seconds = files.seconds(file, "sound")
        yield Attachment(kind="sound", digest=f"sha256:{digest(file)}", source=str(file), seconds=seconds)
