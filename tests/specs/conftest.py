"""Fixtures of the language's tests: a film from a few lines of text, and the problems of one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storyreel.specs.editing import Edit
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard

HEAD = "storyboard: 1\ntitle: A Film\n"

Editor = Callable[..., str]
Refused = Callable[..., str]
ONE_SHOT = "shots: [{shot: 1A, action: x}]\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """A film with a head, the lines given and, if they have no shots, one shot. The head is the first two lines."""

    def write(text: str) -> Path:
        if "shots:" not in text:
            text += ONE_SHOT
        path = tmp_path / "film.yaml"
        path.write_text("storyboard: 1\ntitle: A Film\n" + text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def film(write: Callable[[str], Path]) -> Callable[..., Storyboard]:
    """The storyboard of some lines below the head."""
    return lambda text, **set_vars: read(write(text), set_vars)


@pytest.fixture
def wrong(write: Callable[[str], Path]) -> Callable[..., list[str]]:
    """The problems of some lines below the head, each as `line:column: message (hint)`."""

    def wrong(text: str, **set_vars: str) -> list[str]:
        path = write(text)
        with pytest.raises(StoryboardError) as caught:
            read(path, set_vars)
        return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]

    return wrong


@pytest.fixture
def media(tmp_path: Path) -> dict[str, Path]:
    """One small file of each kind, by name, beside the film."""
    heads: dict[str, bytes] = {
        "a.png": b"\x89PNG\r\n\x1a\n" + bytes(24),
        "a.jpg": b"\xff\xd8\xff\xe0" + bytes(24),
        "a.webp": b"RIFF" + struct.pack("<I", 24) + b"WEBP" + bytes(24),
        "a.bmp": b"BM" + bytes(24),
        "a.mp4": struct.pack(">I", 24) + b"ftypisom" + bytes(24),
        "a.mov": struct.pack(">I", 24) + b"moov" + bytes(24),
        "a.wav": b"RIFF" + struct.pack("<I", 24) + b"WAVE" + bytes(24),
        "a.mp3": b"ID3\x04" + bytes(24),
        "a.m4a": struct.pack(">I", 24) + b"ftypM4A " + bytes(24),
        "a.flac": b"fLaC" + bytes(24),
        "a.ogg": b"OggS" + bytes(24),
        "a.txt": b"just words, many of them",
    }
    paths: dict[str, Any] = {name: tmp_path / name for name in heads}
    for name, head in heads.items():
        paths[name].write_bytes(head)
    return paths


@pytest.fixture
def edited(tmp_path: Path) -> Editor:
    """Edits a film below its head, and returns the text below the head."""

    def edit_below_head(change: Callable[..., Edit], text: str, slate: str, *more: Any, **others: Any) -> str:
        text = HEAD + text
        path = tmp_path / "film.yaml"
        path.write_bytes(text.encode())
        film = read(path, others.get("set_vars", {}))
        edit = change(text, film, slate, *more, **others)
        assert edit.text.startswith(HEAD)
        path.write_bytes(edit.text.encode())
        assert read(path, others.get("set_vars", {})).model_dump() == edit.film.model_dump()
        return edit.text.removeprefix(HEAD)

    return edit_below_head


@pytest.fixture
def refused(edited: Editor) -> Refused:
    """Why an edit is refused, in one line without the file's name."""

    def refused(*arguments: Any, **others: Any) -> str:
        with pytest.raises(StoryboardError) as caught:
            edited(*arguments, **others)
        return "\n".join(str(problem).partition("film.yaml:")[2] for problem in caught.value.problems)

    return refused
