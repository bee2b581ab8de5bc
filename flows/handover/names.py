"""The take that a clip of a timeline is of: by a note in it, by its name, or by the name of its file."""

from __future__ import annotations

import re
import unicodedata
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
        self._known = {(shot.slate, take.number): take for shot in timeline.shots for take in shot.takes}
        self._slates = {_composed(slate): slate for slate in self._takes}
        self._files: dict[str, list[Named]] = {}
        for shot in timeline.shots:
            for take in shot.takes:
                if take.media:
                    named = self._files.setdefault(_composed(take.media.file.name), [])
                    named.append(Named(shot.slate, take.number))

    def find(self, *names: str) -> Named | None:
        """The take that one of these names or addresses is of; None if it is none of the film.

        Of a file that is of several takes, as those of equal shots are, another name says which it is.
        """
        for name in names:
            if of_file := self._files.get(_plain(name)):
                written = {self._written(each) for each in names}
                return next((one for one in of_file if {one, Named(one.slate, None)} & written), of_file[0])
            if found := self._written(name):
                return found
        return None

    def _written(self, name: str) -> Named | None:
        """The take that a name, or the last part of an address, says."""
        for written in (_composed(name), _plain(name)):
            if (match := _NAME.fullmatch(written)) and (slate := self._slates.get(match["slate"])):
                return self.take(slate, int(match["take"]))
            if slate := self._slates.get(written):
                return Named(slate, None)
        return None

    def take(self, slate: str, number: int) -> Named | None:
        """This take of a shot; None if the film has none of that number."""
        return Named(slate, number) if number in self._takes[slate] else None

    def shift(self, named: Named, key: object, first: object) -> int:
        """Frames by which a take begins later than the clip that stood for it when the timeline was written: a drawing.

        `key` and `first` are those of that clip.
        """
        take = self._known.get((named.slate, named.take or 0))
        return take.first - first if take and take.key != key and isinstance(first, int) else 0


def _plain(name: str) -> str:
    """A name, or that of the file of an address."""
    return _composed(PurePosixPath(unquote(urlsplit(name).path) if "/" in name else name).name)


def _composed(name: str) -> str:
    """A name with each accent on its letter; macOS has them apart."""
    return unicodedata.normalize("NFC", name)
