"""The editions of a shot's request: how versions of Storyreel, past and present, word it and choose its voices.

A take that was bought in one of them is the same take to its author, and is not bought again in another.
"""

from __future__ import annotations

from typing import NamedTuple

from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.storyboard import CastMember, Location, Shot, Storyboard
from storyreel.tasks.request.article import with_article


class Edition(NamedTuple):
    """One way of writing the request of a shot."""

    has_articles: bool
    """Whether descriptions get the article that they lack. Always so where none lacks one."""
    voices: frozenset[str]
    """The cast members whose voices go along with their references, if the service takes voices."""


def editions(storyboard: Storyboard, shot: Shot) -> tuple[Edition, ...]:
    """The editions of a shot's request: that of now, then the others, the latest first. Some may be equal."""
    if isinstance(shot, PictureShot):
        return (_PLAIN,) * 4
    with_voice = [who for who in shot.cast if storyboard.cast[who].voice and storyboard.cast[who].references]
    lacking = _lacks_articles(storyboard, shot)
    if not (with_voice or lacking):
        return (_PLAIN,) * 4
    seen = frozenset(with_voice)
    speaking = seen & {line.speaker for line in shot.dialogue}
    return (
        Edition(True, frozenset() if shot.native_audio == "drop" else seen),
        # The sound of the clip was used when it was bought, and is dropped now.
        Edition(True, seen),
        # Until November 2026 only the voices of those who speak a line were sent.
        Edition(True, speaking),
        # Until November 2026 descriptions were sent as they are written.
        Edition(not lacking, speaking),
    )


_PLAIN = Edition(True, frozenset())


def _lacks_articles(storyboard: Storyboard, shot: Shot) -> bool:
    nouns: list[CastMember | Location] = [storyboard.cast[key] for key in shot.cast]
    nouns += [storyboard.locations[shot.location]] if shot.location else []
    return any(with_article(noun.description) != noun.description for noun in nouns)
