"""Names, keys, tags and the default folder of a film, its runs and its takes, in Prefect and on disk."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from storyreel.specs.foreign_text import printable

RENDER_FLOW = "render storyboard"
"""Name of the flow that makes a film."""
TAG = "storyreel"
"""Tag of all runs and deployments."""
DRAFT_TAG = "draft"
"""Tag of the runs of drafts, and of deployments that make them."""
FILM_TAG, _VERSION, _SERVICE = "film:", "version:", "service:"
_RUN_NAME = re.compile(r".*? (?P<begun>\d\d \w+ \d\d:\d\d)")
_LONGEST = 60
"""Characters of a title in a name, a key or a tag."""
_LONGEST_FOLDER = 80
_MOST_BYTES = 200
"""Bytes of a folder's name in UTF-8: file systems take 255, and what distinguishes two films is appended."""
_RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))))
"""Names of devices in Windows."""


def slug(title: str) -> str:
    """A title for artifact keys and resource ids, a-z, 0-9 and hyphens: `the-keeper`.

    A hash of the title is appended where letters are lost. (python-slugify transliterates: titles that sound alike
    would share a key.)
    """
    plain = unicodedata.normalize("NFKD", title.casefold())
    without_marks = "".join(letter for letter in plain if not unicodedata.combining(letter))
    short = "-".join(re.findall(r"[a-z0-9]+", without_marks))[:_LONGEST].strip("-")
    if short and short == "-".join(re.findall(r"\w+", without_marks)):
        return short
    return "-".join(filter(None, (short, hashlib.sha256(title.encode()).hexdigest()[:8])))


def deployment_name(title: str, *, is_draft: bool = False) -> str:
    """The name of a film's deployment, if none is given: `the-keeper`, of its draft `the-keeper-draft`.

    It never changes, or schedules would double.
    """
    name = "-".join(re.findall(r"\w+", title.lower()))[:_LONGEST_FOLDER] or "film"
    return f"{name}-draft" if is_draft else name


def default_folder(title: str, otherwise: str = "") -> Path:
    """The folder of a film for which none is given: `renders/the-keeper`, relative to the working directory.

    Letters of any script stay. `otherwise` names a film whose title has none.
    """
    return Path("renders") / (_file_name(title) or _file_name(otherwise) or "film")


def _file_name(text: str) -> str:
    """Words of a text as a name that every file system takes; empty if it has none."""
    # Vowel signs of Indian scripts are marks, which are no part of a word for `re`.
    text = unicodedata.normalize("NFC", text.lower())
    words = "".join(sign if unicodedata.category(sign)[0] in "LMN" or sign == "_" else " " for sign in text).split()
    name = "-".join(words)[:_LONGEST_FOLDER]
    while len(name.encode()) > _MOST_BYTES:
        name = name[:-1]
    name = name.strip("-")
    return f"{name}-film" if name in _RESERVED else name


def run_name(title: str, begun: datetime, *, is_draft: bool = False) -> str:
    """Name of a flow run: the film, and when the run began first, `The Keeper (draft) 29 Nov 06:25`."""
    return f"{_of_run(title, is_draft)} {begun:%d %b %H:%M}"


def renamed_run(name: str, title: str, *, is_draft: bool = False) -> str:
    """A run's name if its film is called `title` after all. The time stays, and so does a name of another form, which a
    person gave."""
    return f"{_of_run(title, is_draft)} {found['begun']}" if (found := _RUN_NAME.fullmatch(name)) else name


def _of_run(title: str, is_draft: bool) -> str:
    return f"{_short(title)} (draft)" if is_draft else _short(title)


def scene_run_name(title: str, scene: str, *, is_draft: bool = False) -> str:
    """Name of the flow run that makes one scene of a film."""
    return f"{_of_run(title, is_draft)} scene {printable(scene)}"


def film_tag(title: str) -> str:
    """The tag by which runs and deployments of a film are found."""
    return f"{FILM_TAG}{_short(title)}"


def tagged_film(tags: Iterable[str]) -> str:
    """The title in the tag of a film, cut as in the name of a run; empty if there is no such tag."""
    return next((tag.removeprefix(FILM_TAG) for tag in tags if tag.startswith(FILM_TAG)), "")


def film_tags(title: str, version: str, services: Iterable[str] = (), *, is_draft: bool = False) -> list[str]:
    """Tags of a flow run or deployment: the film, the version of its storyboard, its services, and that of a draft."""
    named = (f"{_SERVICE}{name}" for name in sorted(set(services)))
    return [TAG, film_tag(title), f"{_VERSION}{version[:12]}", *named, *((DRAFT_TAG,) if is_draft else ())]


def retagged(tags: Iterable[str], now: Iterable[str]) -> list[str]:
    """The tags of a run, with those of `film_tags` in place of earlier ones. A run has its deployment's at first, and
    renders what the storyboard says by now."""
    ours = (FILM_TAG, _VERSION, _SERVICE)
    return sorted({tag for tag in tags if tag != DRAFT_TAG and not tag.startswith(ours)} | {*now})


def shot_tags(shot: str, scene: str, service: str = "") -> tuple[str, ...]:
    """Tags of a take's task runs; scene and service only if not empty."""
    parts = (("shot:", shot), ("scene:", scene), (_SERVICE, service))
    return tuple(f"{name}{value}" for name, value in parts if value)


def _short(title: str) -> str:
    return printable(title)[:_LONGEST]
