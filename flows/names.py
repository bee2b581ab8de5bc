"""Names, keys, tags and the default folder of a film, its runs and its takes, in Prefect and on disk."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from storyreel.specs.foreign_text import printable

TAG = "storyreel"
"""Tag of all runs and deployments."""
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


def deployment_name(title: str) -> str:
    """The name of a film's deployment, if none is given: `the-keeper`. It never changes, or schedules would double."""
    return "-".join(re.findall(r"\w+", title.lower()))[:_LONGEST_FOLDER] or "film"


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


def run_name(title: str, now: datetime) -> str:
    """Name of a flow run: film and time."""
    return f"{printable(title)[:_LONGEST]} {now:%d %b %H:%M}"


def film_tag(title: str) -> str:
    """The tag by which runs and deployments of a film are found."""
    return f"film:{printable(title)[:_LONGEST]}"


def film_tags(title: str, version: str, services: Iterable[str] = ()) -> list[str]:
    """Tags of a flow run or deployment: the film, the version of its storyboard, and its services."""
    named = (f"service:{name}" for name in sorted(set(services)))
    return [TAG, film_tag(title), f"version:{version[:12]}", *named]


def shot_tags(shot: str, scene: str, service: str = "") -> tuple[str, ...]:
    """Tags of a take's task runs; scene and service only if not empty."""
    parts = (("shot", shot), ("scene", scene), ("service", service))
    return tuple(f"{name}:{value}" for name, value in parts if value)
