"""Which ffmpeg is used."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import imageio_ffmpeg

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.settings import FFMPEG, Settings

OLDEST = (5, 1)
"""The first version whose `alimiter` gives back the time it looks ahead and whose filters do all that is asked here."""

_ENCODERS = frozenset({"libx264", "aac", "pcm_s16le"})
_FILTERS = """
adelay aevalsrc afade alimiter ametadata amix anullsrc apad aresample asetpts asplit atrim boxblur color concat crop
drawtext ebur128 fade format fps loop metadata overlay pad pan perspective scale scdet setparams setpts setsar
sidechaincompress tpad trim volume xfade
"""
_HINT = "install ffmpeg 5.1 or newer with libx264, or unset STORYREEL_FFMPEG to use the one that comes with storyreel"


@dataclass(frozen=True, slots=True)
class Binary:
    """An ffmpeg executable that can do all that is asked of it here."""

    path: Path
    version: str
    """As it names itself: `n9.0.2-17-g2a571b6068-20260930`, `5.1.9-0+deb12u1`. Other versions write other bytes."""

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor number; a build from the development branch, which has none, counts as newest."""
        found = re.match(r"n?(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else (999, 0)


def find_ffmpeg() -> Binary:
    """STORYREEL_FFMPEG, else a capable ffmpeg on PATH, else the one inside imageio-ffmpeg.

    Raises MediaError when STORYREEL_FFMPEG names one that lacks something, or when there is none at all.
    """
    if named := Settings.read().ffmpeg:
        path = shutil.which(Path(named).expanduser())
        if path is None:
            raise MediaError(f"{FFMPEG} is {named}, which is no program", _HINT)
        binary, lacking = _examined(path)
        if lacking or binary is None:
            raise MediaError(f"{FFMPEG} is {named}, which lacks {lacking}", _HINT)
        return binary
    if path := shutil.which("ffmpeg"):
        binary, lacking = _examined(path)
        if binary and not lacking:
            return binary
    return _bundled()


@lru_cache
def _bundled() -> Binary:
    try:
        path = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise MediaError("no ffmpeg was found", _HINT) from error
    binary, lacking = _examined(path)
    if lacking or binary is None:
        raise MediaError(f"the ffmpeg at {path} lacks {lacking}", _HINT)
    return binary


@lru_cache
def _examined(path: str) -> tuple[Binary | None, str]:
    """The binary at a path, and what it lacks, in words; empty when it lacks nothing."""
    found = re.match(r"ffmpeg version (\S+)", _answer(path, "-version"))
    if not found:
        return None, "an answer to `-version`"
    binary = Binary(Path(path).absolute(), found[1])
    if binary.release < OLDEST:
        return binary, f"two years and more: it is version {found[1]}, needed is 5.1"
    lacking = sorted(_ENCODERS - _listed(path, "-encoders")) + sorted(set(_FILTERS.split()) - _listed(path, "-filters"))
    return binary, ", ".join(lacking)


def _listed(path: str, what: str) -> set[str]:
    """The second word of every line: names of encoders or filters."""
    return {words[1] for line in _answer(path, what).splitlines() if len(words := line.split()) > 1}


def _answer(path: str, question: str) -> str:
    try:
        done = subprocess.run(
            [path, "-hide_banner", question], capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
