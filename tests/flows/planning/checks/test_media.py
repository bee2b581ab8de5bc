"""`validate` and every plan open what the film names, and tell what cannot be read where it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from storyreel.flows.planning.checks.media import check_media
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.home import Home
from storyreel.tasks.media.text.typefaces import Weight
from tests.tasks.request.test_recordings import record

FILM = """storyboard: 1
title: Pieces
cast:
  mira: {references: [half.png]}
music:
  - {file: song.mp3}
shots:
  - {shot: 1A, action: Rain., cast: [mira], first_frame: whole.png}
  - {shot: 1B, action: Rain., first_frame: half.png}
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "song.mp3").write_bytes(b"ID3\x04" + bytes(60))
    path = tmp_path / "film.yaml"
    path.write_text(FILM)
    return path


def test_each_file_in_pieces_is_told_once_where_it_is_named_with_the_remedy(film: Path) -> None:
    with pytest.raises(StoryboardError) as caught:
        check_media(read(film))
    found = [(one.position.line, one.position.column, one.message) for one in caught.value.problems]
    assert [one[:2] for one in found] == [(4, 23), (6, 12)]
    assert found[0][2].startswith("`half.png` is damaged") and found[1][2].startswith("`song.mp3` ")
    assert all(one.hint for one in caught.value.problems)


def test_nothing_is_planned_until_every_file_can_be_read(film: Path, tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home", ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with pytest.raises(StoryboardError, match=r"half\.png"):
        Planner.of(RunRequest(storyboard=film), home)
    film.write_text(FILM.replace("half.png", "whole.png").replace("music:\n  - {file: song.mp3}\n", ""))
    assert len(Planner.of(RunRequest(storyboard=film), home).plan().takes) == 2


def test_a_file_that_was_mended_is_opened_again(film: Path, tmp_path: Path) -> None:
    film.write_text(FILM.replace("music:\n  - {file: song.mp3}\n", ""))
    with pytest.raises(StoryboardError):
        check_media(read(film))
    (tmp_path / "whole.png").replace(tmp_path / "half.png")
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / "whole.png")
    check_media(read(film))


def test_music_that_begins_after_its_file_is_told_before_anything_is_made(tmp_path: Path) -> None:
    record(tmp_path / "song.wav", 2)
    path = tmp_path / "film.yaml"
    for start, is_late in (("1.9s", False), ("2s", True)):
        path.write_text(
            f"storyboard: 1\ntitle: Cues\nmusic: [{{file: song.wav, from: {start}}}]\n"
            "shots: [{shot: 1A, action: x}]\n"
        )
        if not is_late:
            check_media(read(path))
            continue
        with pytest.raises(StoryboardError) as caught:
            check_media(read(path))
        (problem,) = caught.value.problems
        assert (problem.position.line, problem.message) == (3, "`song.wav` has 2 s, and is to begin at 2s")


@pytest.mark.parametrize("key", ["format", "lettering"])
def test_half_a_font_is_told_where_it_is_named(key: str, tmp_path: Path) -> None:
    content = Weight.REGULAR.path.read_bytes()
    (tmp_path / "half.ttf").write_bytes(content[: len(content) // 2])
    (tmp_path / "whole.ttf").write_bytes(content)
    path = tmp_path / "film.yaml"
    path.write_text(f"storyboard: 1\ntitle: x\n{key}: {{font: half.ttf}}\nshots: [{{shot: 1A, action: x}}]\n")
    with pytest.raises(StoryboardError) as caught:
        check_media(read(path))
    (told,) = caught.value.problems
    assert (told.position.line, told.message) == (3, "`half.ttf` is no font that can be used")
    path.write_text(path.read_text().replace("half", "whole"))
    check_media(read(path))
