"""Fonts in keys: a film in DejaVu Sans keeps its keys; one that had boxes, or has another font, is drawn anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storyreel.flows.planning.plan import make_plan
from storyreel.specs.derived.pictures import sheets_of, stills_of
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.providers.request import Board
from storyreel.tasks.request.board import board_of, film_warnings, own_font
from storyreel.tasks.settings import FONT
from storyreel.tasks.storage.digests import file_digest
from tests.flows.planning.histories import NOTHING
from tests.fonts import no_fonts, package, packaged_fonts  # noqa: F401


def film_of(folder: Path, action: str, more: str = "") -> Storyboard:
    (folder / "film.yaml").write_text(
        f'storyboard: 1\ntitle: Test\n{more}\nshots: [{{shot: 1A, action: "{action}", provider: animatic}}]\n', "utf-8"
    )
    return read(folder / "film.yaml")


def board(film: Storyboard) -> Board:
    return board_of(film, film.all_shots[0], 24, own_font(film), file_digest)


@pytest.mark.parametrize("action", ["Żółć, Ελλάδα, Москва, Việt Nam — “naïve” №5 → ½ ™", "q̃ e̊ ⅞ ♪ ♥"])
def test_a_film_in_dejavu_alone_is_drawn_as_ever(action: str, tmp_path: Path) -> None:
    found = board(film_of(tmp_path, action))
    assert (found.lettering, found.missing, found.font) == ("", (), "")


@pytest.mark.usefixtures("packaged_fonts")
@pytest.mark.parametrize("action", ["路灯", "👍", "שלום", "แสง"])
def test_another_script_has_a_drawing_of_its_own(action: str, tmp_path: Path) -> None:
    found = board(film_of(tmp_path, action))
    assert found.lettering and not found.missing


@pytest.mark.usefixtures("packaged_fonts")
def test_what_had_boxes_is_drawn_anew_once_there_is_a_font(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    film = film_of(tmp_path, "路灯 ok")
    with_fonts = board(film)
    assert not list(film_warnings(film))
    request.getfixturevalue("no_fonts")
    without = board(film)
    assert without.missing == ("灯", "路") and without != with_fonts
    assert list(film_warnings(film)) == [
        "no font here has 2 letters of 1A: 路 灯; they are drawn as empty boxes: pip install 'storyreel[fonts]'"
    ]


@pytest.mark.usefixtures("packaged_fonts")
def test_the_users_font_is_the_storyboards_or_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thai, cjk = (shutil.copy(package(name), tmp_path / f"{name}.ttf") for name in ("NotoSansThai", "NotoSansCJK"))
    monkeypatch.setenv(FONT, str(cjk))
    of_environment = board(film_of(tmp_path, "Rain."))
    of_film = board(film_of(tmp_path, "Rain.", "format: {font: NotoSansThai.ttf}"))
    assert (of_environment.font, of_film.font) == (str(cjk), str(thai))
    # By what it holds, wherever it lies.
    assert file_digest(Path(thai)) in of_film.lettering and of_environment.lettering != of_film.lettering


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "is empty"), (b"GIF89a" + b"\0" * 40, "a GIF picture, not a font"), (b"OTTO\0" + b"\0" * 40, "no font")],
)
def test_a_font_that_is_none_is_a_mistake_in_its_line(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "mine.ttf").write_bytes(content)
    with pytest.raises(StoryboardError, match=what) as refused:
        list(film_warnings(film_of(tmp_path, "路灯", "format: {font: mine.ttf}")))
    assert refused.value.problems[0].position.line == 3


def test_a_sheet_tells_whom_it_shows_and_nothing_of_the_film_and_a_still_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(
        "storyboard: 1\ntitle: Test\n"
        "cast: {mira: {name: Mira, description: grey braid, sheet: in three views}}\n"
        "scenes: [{scene: 1, heading: INT., shots: [\n"
        '  {shot: 1A, action: She waits., cast: [mira], provider: animatic, still: "{mira} at the lamp"}]}]\n'
    )
    film = read(tmp_path / "film.yaml")
    (sheet,), (still,) = sheets_of(film, film.all_shots), stills_of(film.all_shots[0])
    written = board_of(film, sheet, 1, None, file_digest)
    assert (written.slate, written.place, written.action) == ("mira@sheet", "Mira", "grey braid. in three views")
    assert (written.film, written.scene) == ("", "")
    written = board_of(film, still, 1, None, file_digest)
    assert (written.slate, written.action, written.scene) == ("1A@still", "Mira at the lamp", "1 INT.")


@pytest.mark.usefixtures("no_fonts")
def test_letters_of_sheets_are_told_of_too(tmp_path: Path) -> None:
    film = film_of(tmp_path, "ok", "cast: {mira: {description: 路灯, sheet: true}}\ndefaults: {cast: [mira]}")
    assert next(film_warnings(film)).startswith("no font here has 2 letters of mira@sheet: 路 灯;")


def test_the_dialogue_of_a_shot_that_lasts_as_its_lines_do_is_heard_before_its_narration(tmp_path: Path) -> None:
    (file := tmp_path / "film.yaml").write_text(
        "storyboard: 1\ntitle: T\nformat: {fps: 25}\ncast: {mira: {}}\nshots:\n"
        "  - {shot: 1A, action: x, duration: speech, pad: 0.2s, dialogue: [{mira: Hello}], narration: And then}\n"
        "  - {shot: 1B, action: x, dialogue: [{mira: Hello}]}\n"
    )
    boards = {take.shot: take.request.board for take in make_plan(read(file), NOTHING).clips}
    spoken = boards["1A"] and boards["1A"].spoken
    assert spoken == (5, 5 + 13), "half a second, the least, after the pad"
    assert boards["1B"] and boards["1B"].spoken is None
