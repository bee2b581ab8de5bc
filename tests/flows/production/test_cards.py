"""A film with cards and credits is made as any other: exact, in chapters, and only what has changed is drawn again."""

from __future__ import annotations

import struct
import wave
from array import array
from pathlib import Path

import av
import pytest

from storyreel.flows.render import render_storyboard

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 12, resolution: 480p}
shots:
  - {card: "Three years\\nlater", duration: 12f, dialogue: [{ana: Dawn., sound: line.wav}]}
  - {shot: 1A, action: Rain., duration: 12f, transition: {type: dissolve, duration: 4f}}
  - {credits: {roll: true, entries: [{Directed by: Ana}]}, duration: 12f, transition: {type: fade, duration: 4f}}
cast: {ana: {name: Ana}}
"""


async def test_a_film_with_cards_is_exact_and_draws_again_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path / "home"))
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    with wave.open(str(tmp_path / "line.wav"), "wb") as line:
        line.setparams((1, 2, 48_000, 0, "NONE", ""))
        line.writeframes(b"".join(struct.pack("<h", 9000 * (1 - 2 * (n // 60 % 2))) for n in range(24_000)))
    made = await render_storyboard(str(file), out=str(tmp_path / "out"))
    assert (made.frames, made.stand_ins, len(made.takes), made.findings) == (36, 0, 3, ())
    with av.open(str(made.sequence)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 36
        assert [chapter["metadata"]["title"] for chapter in film.chapters()] == ["Three years later", "1A", "credits"]
    with av.open(str(made.sequence)) as film:
        loud = [max(map(abs, array("f", bytes(frame.planes[0])))) for frame in film.decode(audio=0)]
    # The recording over the card is heard, though the card has no sound; the credits are silent.
    assert max(loud[:10]) > 0.01 > max(loud[-6:])
    file.write_text(FILM.replace("Directed by: Ana", "Directed by: Zoe"))
    again = await render_storyboard(str(file), out=str(tmp_path / "out"))
    assert {take.shot: take.cached for take in again.takes} == {"card-1": True, "1A": True, "credits-1": False}
