"""Writes lines that the guide voice speaks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from storyreel.specs.foreign_text import kept
from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.animatic.voice.engine import REMEDY, Engine, engine, voices
from storyreel.tasks.settings import GUIDE_VOICE

_PATIENCE = 120
"""Seconds after which a line is given up; a minute of speech takes 0.1 s."""


class Line(Frozen):
    """A line to speak."""

    text: str
    speaker: str = ""
    """Each has a voice of their own; empty for the narrator."""
    language: str = ""
    room: float = 0
    """Seconds that it should not be longer than; it is spoken faster then, as far as it can be understood. 0: any."""


def engine_named(name: str) -> Engine:
    """The engine of this name and version. Raises MediaError if it is not on this machine."""
    found = engine()
    if found is None or found.name != name:
        here = f"here is {found.name}" if found else "it is not on this machine"
        raise MediaError(
            f"the guide voice was {name} where the film was planned, and {here}",
            hint=f"{REMEDY}, or set {GUIDE_VOICE}=off where the film is planned and made",
        )
    return found


def speak(name: str, lines: Sequence[Line], files: Sequence[Path]) -> tuple[float, ...]:
    """Write each line into its file, as WAV; returns their seconds. Equal lines give equal bytes.

    `name` is that of the engine. Blocks. Raises MediaError if it cannot speak.
    """
    found = engine_named(name)
    asked = {
        "library": found.library,
        # From the folder that they are in: its own place for their path has some 150 letters.
        "data": "." if found.data else "",
        "lines": [
            {
                "text": line.text,
                "voices": voices(line.speaker, line.language, line.text),
                "room": line.room,
                "file": str(file.absolute()),
            }
            for line, file in zip(lines, files, strict=True)
        ],
    }
    child = Path(__file__).with_name("child.py")
    try:
        # In a session of its own, so that Ctrl-C in the terminal does not reach it.
        ended = subprocess.run(
            [sys.executable, "-I", str(child)],
            cwd=Path(found.data).parent if found.data else None,
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(name, str(error)) from error
    if ended.returncode:
        raise _failed(name, ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
    return tuple(json.loads(ended.stdout))


def _failed(name: str, why: str) -> MediaError:
    return MediaError(
        f"the guide voice, {name}, does not speak: {kept(why) or 'it ended without a word'}",
        hint=f"install it again, or set {GUIDE_VOICE}=off",
    )
