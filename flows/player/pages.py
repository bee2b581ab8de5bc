"""The pages of a player as HTML, and subtitles as browsers read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from storyreel.specs.foreign_text import printable
from storyreel.specs.language.tongues import language_name
from storyreel.specs.secrets import hidden

_STYLE = """\
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;
background:#111;color:#ddd;font:16px/1.5 system-ui,sans-serif}
video,img{max-width:100vw;max-height:88vh;min-width:min(100vw,640px)}
img{object-fit:contain}p,h1,ul{margin:.6em 1em;font-size:1em;font-weight:400}ul{padding:0;list-style:none}
a{color:#9cf}"""
_TIME = re.compile(r"(?<=\d\d:\d\d:\d\d),(?=\d{3})")


def take_page(name: str, video: str) -> str:
    """The page of a take, which is played again and again."""
    return _page(name, f"{_video(video, 'loop')}{_caption(name, video)}")


def still_page(name: str, picture: str) -> str:
    """The page of a take of a still."""
    download = f'<a href="{escape(picture)}" download>download</a>'
    return _page(name, f'<img alt="{_text(name)}" src="{escape(picture)}"><p>{_text(name)} · {download}</p>')


class Track(NamedTuple):
    """The subtitles of a film in one language."""

    source: str
    """Their address."""
    language: str
    """Its tag; empty if it is not known."""
    is_shown: bool
    """Whether they are shown unless that is changed, if their language is known."""


class Deliverable(NamedTuple):
    """A deliverable of a film, on its page."""

    name: str
    about: str
    """Its picture, codec and loudness in words."""
    page: str
    """The address of the page that plays it; empty if no browser does."""
    file: str


def speech_page(name: str, sound: str) -> str:
    """The page of a take of a spoken line."""
    return _page(name, f'<audio controls autoplay src="{escape(sound)}"></audio>{_caption(name, sound)}')


def film_page(title: str, video: str, tracks: Iterable[Track], deliverables: Sequence[Deliverable] = ()) -> str:
    """The page of a film with its subtitles and its deliverables."""
    rows = "".join(map(_deliverable, deliverables))
    listed = f"<ul>{rows}</ul>" if rows else ""
    return _page(title, f"{_video(video, '', ''.join(map(_track, tracks)))}{_caption(title, video)}{listed}")


def _deliverable(deliverable: Deliverable) -> str:
    play = f'<a href="{escape(deliverable.page)}">play</a> · ' if deliverable.page else ""
    download = f'<a href="{escape(deliverable.file)}" download>download</a>'
    return f"<li>{_text(deliverable.name)} · {_text(deliverable.about)} · {play}{download}</li>"


def _track(track: Track) -> str:
    if not track.language:
        return f'<track kind="subtitles" label="dialogue" src="{escape(track.source)}">'
    label = f'label="{_text(language_name(track.language))}" srclang="{escape(track.language)}"'
    return f'<track kind="subtitles" {label} src="{escape(track.source)}"{" default" if track.is_shown else ""}>'


def message_page(title: str, message: str) -> str:
    """A page that says why nothing is played."""
    return _page(title, f"<h1>{_text(title)}</h1><p>{_text(message)}</p>")


def webvtt(subrip: str) -> str:
    """Subtitles of SubRip as WebVTT, in whose text `&` and `<` begin markup."""
    lines = subrip.replace("\ufeff", "").splitlines()
    cues = (_TIME.sub(".", line) if "-->" in line else escape(line, quote=False) for line in lines)
    return "\n".join(("WEBVTT", "", *cues, ""))


def _video(source: str, more: str, tracks: str = "") -> str:
    return f'<video controls autoplay {more} src="{escape(source)}">{tracks}</video>'


def _caption(name: str, video: str) -> str:
    # A browser says nothing of a codec that it does not have, such as HEVC.
    download = f'<a href="{escape(video)}" download>download</a>'
    return f"<p>{_text(name)} · {download}, if this browser does not play it</p>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><body>{body}</body></html>'
    )


def _text(text: str) -> str:
    return escape(printable(hidden(text)))
