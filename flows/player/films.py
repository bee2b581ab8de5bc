"""Records of finished films: the place of each run's film, so that it can be played by the id of the run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from storyreel.flows.player.media import Medium, medium_at
from storyreel.specs.frozen import Frozen
from storyreel.specs.secrets import hidden
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.storage.bucket import Bucket, BucketError
from storyreel.tasks.storage.files import write_whole

_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LARGEST = 100_000
"""Bytes of a record."""


class DeliverableRecord(Frozen):
    """A deliverable of a film, when it was delivered."""

    name: str
    place: str
    """Absolute path of its file, or its address."""
    about: str
    """Its picture, codec and loudness in words."""
    is_playable: bool = True
    """Whether browsers play its codec, or some of them."""
    version: str = ""
    """The version of its file, as `FilmRecord.version`."""
    languages: tuple[str, ...] = ()
    """The languages of its subtitles; an empty one if the film names none. Empty if it has no subtitles."""
    subtitles: tuple[str, ...] = ()
    """The names of the files beside it that its subtitles are in; others are those of the film."""
    has_words: bool = False
    """Whether its subtitles are in the picture."""


class FilmRecord(Frozen):
    """The film of a run, when it was delivered."""

    run: str
    """The id of its flow run."""
    title: str
    place: str
    """Absolute path of the sequence, or its address."""
    version: str
    """The version of the file: another one once a later run has replaced the film."""
    host: str
    """Name of the machine that made it, on whose disk a path is."""
    languages: tuple[str, ...] = ()
    """The languages of its subtitles, its own first; empty if it names none."""
    has_words: bool = False
    """Whether its subtitles are in the picture."""
    deliverables: tuple[DeliverableRecord, ...] = ()
    """The deliverables that the run has made."""


def note_film(
    home: Home,
    run: str,
    title: str,
    place: str,
    languages: Sequence[str] = (),
    deliverables: Sequence[DeliverableRecord] = (),
    *,
    has_words: bool = False,
) -> FilmRecord | None:
    """Record a delivered film in the home and, if hosts share clips, in their bucket.

    `deliverables` are those that are delivered, whose versions are found here.

    Returns None if it cannot be recorded or is not there: a film that cannot be played is as good.
    """
    with suppress(BucketError, OSError):
        medium = medium_at(place)
        if medium is None:
            return None
        record = FilmRecord(
            run=run,
            title=title,
            place=place,
            version=medium.version,
            host=this_process().name,
            languages=tuple(languages),
            has_words=has_words,
            deliverables=tuple(
                each.model_copy(update={"version": found.version})
                for each in deliverables
                if (found := medium_at(each.place))
            ),
        )
        # As a player of an earlier version reads it, too, if the film has nothing that is new.
        text = record.model_dump_json(exclude_defaults=True)
        write_whole(home.root / _name(run), text)
        if (bucket := home.clips().bucket) and hidden(place) == place:
            bucket.write(_name(run), text.encode())
        return record
    return None


def find_film(home: Home, run: str) -> FilmRecord | None:
    """The record of a run's film, of this host or from the bucket. Raises BucketError."""
    if not _RUN.fullmatch(run):
        return None
    with suppress(OSError, ValidationError):
        return FilmRecord.model_validate_json((home.root / _name(run)).read_bytes())
    with suppress(ValidationError):
        bucket: Bucket | None = home.clips().bucket
        content = bucket.read(_name(run), _LARGEST) if bucket else None
        return FilmRecord.model_validate_json(content) if content else None
    return None


def delivered_medium(record: FilmRecord | DeliverableRecord) -> Medium | None:
    """The film or deliverable as it was delivered; None if it is not there any more, or another one is. Raises
    BucketError."""
    medium = medium_at(record.place)
    return medium if medium and medium.version == record.version else None


def _name(run: str) -> str:
    return f"film-records/{run}.json"
