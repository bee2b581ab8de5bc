"""What is told of a font file is what Pillow draws; a file that is none is refused, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.font_file import faces
from storyreel.tasks.media.text.typefaces import Weight
from tests.fonts import package
from tests.properties import one_in

DEJAVU = Weight.REGULAR.path


@pytest.mark.parametrize("name", ["NotoSansThai", "NotoSansCJK", "glyf_colr0"])
def test_a_face_has_the_letters_that_are_drawn(name: str) -> None:
    """A letter that a font lacks is drawn as the font's empty box, the same for all."""
    path = package(name)
    font, face = ImageFont.truetype(str(path), 20), faces(path)[0]
    box = bytes(font.getmask("\U0010fffe"))
    letters = map(chr, (*range(0x21, 0x7F), *range(0xE01, 0xE2F), *range(0x4E00, 0x4E40), *range(0x1F600, 0x1F640)))
    wrong = [c for c in letters if (bytes(font.getmask(c)) != box) is not (c in face.characters)]
    assert not wrong


def test_the_faces_of_a_collection_are_told_apart() -> None:
    found = faces(package("NotoSansCJK"))
    assert [face.family[-2:] for face in found] == ["JP", "KR", "SC", "TC", "HK"]
    assert [face.index for face in found] == [0, 1, 2, 3, 4]


def test_a_font_in_colour_is_known() -> None:
    assert faces(package("glyf_colr0"))[0].is_colour
    # Layers of COLR version 1 are not drawn by Pillow: such a font has no letter for us.
    with pytest.raises(MediaError):
        faces(package("glyf_colr0").with_name("glyf_colr1.ttf"))
    assert not faces(DEJAVU)[0].is_colour


def test_a_variable_font_is_as_bold_as_it_is_asked() -> None:
    face = faces(package("NotoSansCJK"))[0]
    assert sum(bytes(face.font(40, 700).getmask("夜"))) > 1.2 * sum(bytes(face.font(40, 400).getmask("夜")))


@one_in(2)
@given(
    end=st.integers(0, 800),
    changed=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=20),
    cut=st.booleans(),
)
def test_a_damaged_font_is_refused_or_read_and_nothing_else(
    end: int, changed: list[tuple[int, int]], cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(DEJAVU.read_bytes())
    for at, value in changed:
        content[at] = value
    path = tmp_path_factory.mktemp("fonts") / "damaged.ttf"
    path.write_bytes(content[:end] if cut else content)
    try:
        assert any(face.characters for face in faces(path))
    except MediaError as error:
        assert str(path) in error.message


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, b"ttcf" + b"\xff" * 40, b"OTTO\xff\xff"])
def test_what_is_no_font_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "none.ttf"
    path.write_bytes(content)
    with pytest.raises(MediaError):
        faces(path)
