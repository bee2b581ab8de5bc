"""The contact sheet is drawn page by page while takes are still made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storyreel.flows.production import film_parts
from storyreel.flows.production.film_parts import FilmParts
from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.media import contact_sheet
from storyreel.tasks.media.text.typefaces import STANDARD
from storyreel.tasks.threads import Lane
from tests.flows.production.test_sound_ahead import Takes

SHOTS = [f"S{number}" for number in range(6)]
CUT = Cut(FrameRate.parse("24"), tuple(Event(shot, 24 * n, 24) for n, shot in enumerate(SHOTS)))
CLIP = HouseClip(picture=Path("p"), picture_digest="", frames=24, delay=0, signature="", sound=None, sound_digest=None,
                 untouched=False)  # fmt: skip


class ConformedTakes(Takes):
    """The takes of a run, of which some are conformed."""

    def __init__(self) -> None:
        super().__init__()
        self.done: set[str] = set()

    def conformed(self, shot: str) -> tuple[Any, HouseClip] | None:
        return (take(shot), CLIP) if shot in self.done else None

    def take_in_cut(self, shot: str) -> asyncio.Future[Any]:
        async def chosen() -> Any:
            return take(shot)

        return self.once(("in cut", shot), chosen)

    def house_clip(self, take: Any) -> asyncio.Future[HouseClip]:
        async def conformed() -> HouseClip:
            assert take.shot in self.done, "nothing is begun for the contact sheet"
            return CLIP

        return self.once(("house", take.shot), conformed)


async def none(*_: Any) -> dict[int, Any]:
    return {}


def take(shot: str) -> Any:
    return SimpleNamespace(shot=shot, edit=SimpleNamespace(join_in=0))


async def test_a_page_of_the_contact_sheet_is_drawn_when_the_last_of_its_shots_is_conformed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, list[bytes]]] = []

    async def picture(clip: HouseClip, frame: int, *_: Any) -> bytes:
        return b"picture"

    def draw(number: int, pictures: Sequence[bytes], *_: Any, **__: Any) -> bytes:
        drawn.append((number, list(pictures)))
        return f"page {number}".encode()

    monkeypatch.setattr(contact_sheet, "_ROWS", 1)
    monkeypatch.setattr(film_parts, "find_shot_picture", picture)
    monkeypatch.setattr(film_parts, "draw_page", draw)
    takes = ConformedTakes()
    plan: Any = SimpleNamespace(cut=CUT, format=SimpleNamespace(size=(128, 72)), title="F", name="F")
    sound: Any = SimpleNamespace(add=lambda *_: [])
    lettered: list[str] = []
    overlays: Any = SimpleNamespace(begin=lambda source, part, name: lettered.append(name) or [], of=none)
    parts = FilmParts(plan, takes, sound, overlays, tmp_path, Lane(1), STANDARD)  # type: ignore[arg-type]
    for shot, complete in (("S5", []), ("S0", []), ("S3", []), ("S1", []), ("S2", [0]), ("S4", [1])):
        takes.done.add(shot)
        drawn.clear()
        parts.prepare(take(shot))
        assert lettered[-1] == f"words over {shot}", "words are laid over it while others are made"
        await asyncio.gather(*takes.begun.values())
        assert [number for number, _ in drawn] == complete, shot
    assert len(drawn[0][1]) == 2, "four on the first page"
    assert b"picture" not in [part.result() for part in takes.begun.values()], "of a long film they would fill memory"
    drawn.clear()
    assert await parts.pages() == [b"page 0", b"page 1"] and not drawn
