"""Which take a clip of a timeline is: by what is noted in it, by its name, or by the name of its file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from storyreel.flows.handover.timeline import Timeline

_NAME = re.compile(r"(?P<slate>\S+)[ -]take[ -](?P<take>\d{1,2})(?:\.\w{2,4})?")
"""`1A take 2`, or `1A-take-2.mp4` as a file is collected."""


class Named(NamedTuple):
    """A take of the film."""

    slate: str
    take: int | None


class TakeNames:
    """Finds the takes of a film by the names that a timeline has for them."""

    def __init__(self, timeline: Timeline) -> None:
        self._takes = {shot.slate: {take.number for take in shot.takes} for shot in timeline.shots}
        self._files: Mapping[str, Named] = {
            take.media.file.name: Named(shot.slate, take.number)
            for shot in timeline.shots
            for take in shot.takes
            if take.media
        }

    def find(self, *names: str) -> Named | None:
        """The take that one of these names or addresses is of; None if it is none of the film."""
        for name in names:
            plain = PurePosixPath(unquote(urlsplit(name).path) if "/" in name else name).name
            if found := self._files.get(plain):
                return found
            for written in (name, plain):
                if (match := _NAME.fullmatch(written)) and match["slate"] in self._takes:
                    return self.take(match["slate"], int(match["take"]))
                if written in self._takes:
                    return Named(written, None)
        return None

    def take(self, slate: str, number: int) -> Named | None:
        """This take of a shot; None if the film has none of that number."""
        return Named(slate, number) if number in self._takes[slate] else None
