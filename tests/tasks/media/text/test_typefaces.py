"""Which font draws a letter: the user's own, DejaVu Sans, the system's, a package's; and what none has."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import pytest

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text import typefaces
from storyreel.tasks.media.text.font_file import faces
from storyreel.tasks.media.text.layout import missing_letters
from storyreel.tasks.media.text.plain import is_plain
from storyreel.tasks.media.text.scripts import is_emoji
from storyreel.tasks.media.text.typefaces import STANDARD, Fonts, Weight, remedy
from tests.fonts import LINES, no_fonts, package, packaged_fonts  # noqa: F401

DEJAVU = Weight.REGULAR.path


def drawn_by(letter: str, fonts: Fonts = STANDARD, language: str = "") -> str:
    face = fonts.face(letter, language=language)
    return face.path.name if face else ""


@pytest.mark.parametrize("weight", Weight)
def test_what_is_called_plain_is_in_dejavu(weight: Weight) -> None:
    characters = faces(weight.path)[0].characters
    assert not [c for c in map(chr, range(32, 0x3000)) if is_plain(c) and (c not in characters or is_emoji(c))]


@pytest.mark.usefixtures("packaged_fonts")
def test_the_packages_have_every_script() -> None:
    assert {script: missing for script, line in LINES.items() if (missing := missing_letters(line))} == {}


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_the_letters_are_told_and_the_command() -> None:
    assert missing_letters("路灯 ok") == ["路", "灯"]
    assert missing_letters("👨‍👩‍👧") == ["👨‍👩‍👧"]
    assert missing_letters("Żółć") == []
    assert remedy() == "pip install 'storyreel[fonts]'"


@pytest.mark.usefixtures("packaged_fonts")
def test_with_the_packages_another_font_is_the_remedy() -> None:
    assert missing_letters("𒀀") == ["𒀀"]  # cuneiform
    assert "STORYREEL_FONT" in remedy()


@pytest.mark.usefixtures("packaged_fonts")
def test_a_font_of_the_users_comes_first_and_the_others_help_it_out() -> None:
    own = Fonts(own=package("NotoSansThai"))
    assert drawn_by("ก", own).startswith("NotoSansThai")
    assert drawn_by("é", own) == DEJAVU.name
    assert drawn_by("夜", own).startswith("NotoSansCJK")
    emoji = Fonts(own=package("NotoEmoji"))
    assert drawn_by("😀", emoji).startswith("NotoEmoji")
    assert drawn_by("1", emoji) == drawn_by(" ", emoji) == DEJAVU.name


@pytest.mark.usefixtures("packaged_fonts")
def test_an_emoji_is_in_colour_and_a_letter_never() -> None:
    assert drawn_by("😀") == drawn_by("❤\ufe0f") == "glyf_colr0.ttf"
    assert drawn_by("❤") == drawn_by("❤\ufe0e") == drawn_by("1") == DEJAVU.name


@pytest.mark.usefixtures("packaged_fonts")
@pytest.mark.parametrize(("language", "region"), [("ja", "JP"), ("ko", "KR"), ("zh", "SC")])
def test_chinese_characters_have_the_form_of_the_language(language: str, region: str) -> None:
    face = STANDARD.face("直", language=language)
    assert face and face.family.endswith(region)


@pytest.mark.skipif(sys.platform == "win32", reason="a program in a shell")
@pytest.mark.usefixtures("no_fonts")
def test_fontconfig_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    font = Path(shutil.copy(DEJAVU, tmp_path / "system.ttf"))
    other = Path(shutil.copy(package_file("NotoSansThai"), tmp_path / "thai font.ttf"))
    program = tmp_path / "fc-match"
    program.write_text(f"#!/bin/sh\nprintf '%s\\t0\\n' '{font}' '{tmp_path}/gone.ttf' '{other}' '{tmp_path}/old.pfb'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(typefaces.shutil, "which", lambda _: str(program))
    assert drawn_by("ก") == other.name


@pytest.mark.usefixtures("no_fonts")
def test_without_fontconfig_the_systems_folders_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "truetype").mkdir()
    shutil.copy(package_file("NotoSansThai"), tmp_path / "truetype" / "NotoSansThai.ttf")
    (tmp_path / "NotoSansBroken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(typefaces, "_FOLDERS", {"linux": (str(tmp_path), str(tmp_path / "nowhere"))})
    monkeypatch.setattr(typefaces.sys, "platform", "linux")
    assert drawn_by("ก") == "NotoSansThai.ttf"


def package_file(name: str) -> Path:
    """A font of a package, where the test has put the packages out of sight."""
    from importlib.util import find_spec

    spec = find_spec("manimgx_fonts")
    assert spec and spec.submodule_search_locations
    return next(Path(spec.submodule_search_locations[0]).glob(f"{name}*"))


def test_a_broken_font_of_the_users_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.ttf").write_bytes(b"no font")
    with pytest.raises(MediaError, match=r"mine\.ttf"):
        missing_letters("路", Fonts(own=tmp_path / "mine.ttf"))
