"""The ffmpeg executable that is used."""

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
"""The oldest version that has all filters used here, and an `alimiter` that compensates its lookahead."""

_ENCODERS = frozenset({"libx264", "aac", "pcm_s16le"})
_MORE_ENCODERS = frozenset({"libx265", "libsvtav1", "libaom-av1", "prores_ks", "dnxhd"})
"""Encoders that only some deliverables need."""
_FILTERS = """
adelay aevalsrc afade alimiter ametadata amix anullsrc apad aresample asetpts asplit atrim boxblur bwdif color
colorchannelmixer concat crop drawtext ebur128 fade format fps hflip loop lut1d lut3d metadata overlay pad pan
premultiply scale scdet sendcmd setparams setpts setsar sidechaincompress sidedata split tonemap tpad transpose trim
vflip volume xfade zscale
"""
_HINT = "install ffmpeg 5.1 or newer with libx264 and zimg, or unset STORYREEL_FFMPEG to use the one of storyreel"


@dataclass(frozen=True, slots=True)
class Binary:
    """An ffmpeg executable."""

    path: Path
    version: str
    """As it prints it: `n9.0.2-17-g2a571b6068-20260930`, `5.1.9-0+deb12u1`. Other versions write other bytes."""
    encoders: frozenset[str] = frozenset()
    """The picture encoders that it has, of all that are used here."""

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; a build of the development branch, which has none, counts as the newest."""
        found = re.match(r"n?(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else (999, 0)


def find_ffmpeg() -> Binary:
    """The ffmpeg of STORYREEL_FFMPEG, else one on PATH that lacks nothing, else the one in imageio-ffmpeg.

    Raises MediaError if the one of STORYREEL_FFMPEG lacks an encoder or filter, or if there is none at all.
    """
    if named := Settings.read().ffmpeg:
        path = shutil.which(Path(named).expanduser())
        if path is None:
            raise MediaError(f"{FFMPEG} is {named}, which is not a program", hint=_HINT)
        binary, missing = _examine(path)
        if missing or binary is None:
            raise MediaError(f"{FFMPEG} is {named}, which lacks {missing}", hint=_HINT)
        return binary
    if path := shutil.which("ffmpeg"):
        binary, missing = _examine(path)
        if binary and not missing:
            return binary
    return _bundled()


@lru_cache
def _bundled() -> Binary:
    try:
        path = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise MediaError("no ffmpeg was found", hint=_HINT) from error
    binary, missing = _examine(path)
    if missing or binary is None:
        raise MediaError(f"the ffmpeg at {path} lacks {missing}", hint=_HINT)
    return binary


@lru_cache
def _examine(path: str) -> tuple[Binary | None, str]:
    """The executable at a path and what it lacks, as text; empty if it lacks nothing."""
    found = re.match(r"ffmpeg version (\S+)", _output(path, "-version"))
    if not found:
        return None, "a version: `-version` does not print one"
    encoders = _listed(path, "-encoders")
    binary = Binary(Path(path).absolute(), found[1], frozenset(encoders & (_MORE_ENCODERS | {"libx264"})))
    if binary.release < OLDEST:
        return binary, f"filters of ffmpeg 5.1: it is version {found[1]}"
    missing = sorted(_ENCODERS - encoders) + sorted(set(_FILTERS.split()) - _listed(path, "-filters"))
    return binary, ", ".join(missing)


def _listed(path: str, what: str) -> set[str]:
    """Names of encoders or filters: the second word of each line."""
    return {words[1] for line in _output(path, what).splitlines() if len(words := line.split()) > 1}


def _output(path: str, option: str) -> str:
    try:
        done = subprocess.run(
            [path, "-hide_banner", option], capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
