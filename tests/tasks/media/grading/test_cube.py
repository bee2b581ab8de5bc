"""Colour tables are read whole and strictly; a broken one is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.grading.cube import check_cube, read_cube
from storyreel.tasks.storage.digests import file_digest

ROWS = "0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 0 1\n1 0 1\n0 1 1\n1 1 1\n"

BROKEN = {
    "LUT_3D_SIZE 2\n0 0 0\n1 0\n": "line 3: there are 2 words, not 3 numbers",
    "LUT_3D_SIZE 2\n" + ROWS.replace("1 1 0", "1 l 0"): "line 5: `l` is not a number",
    "LUT_3D_SIZE 2\n" + ROWS.replace("1 1 0", "1 nan 0"): "line 5: `nan` is not a number",
    "LUT_3D_SIZE 2\n" + ROWS.replace("1 1 0", "1 １ 0"): "line 5: `１` is not a number",
    "LUT_3D_SIZE 2\n" + ROWS.replace("1 1 0", "1 1e999 0"): "line 5: `1e999` is not a number",
    "LUT_3D_SIZE 2\n" + ROWS + "\n# more\n1 1 1\n": "line 12: this is row 9 of a table that has 8",
    "LUT_3D_SIZE 2\n" + ROWS.removesuffix("1 1 1\n"): "line 8: the table ends after 7 of 8 rows",
    "LUT_3D_SIZE 2\n": "line 1: the table ends after 0 rows",
    ROWS: "line 1: the table begins, and no line before it says its size",
    "LUT_3D_SIZE 1\n" + ROWS: "line 1: the size of the table is `1`, not a whole number from 2 to 129",
    "LUT_3D_SIZE ²\n" + ROWS: "line 1: the size of the table is `²`",
    "LUT_1D_SIZE 70000\n": "line 1: the size of the table is `70000`, not a whole number from 2 to 65536",
    "LUT_3D_SIZE 2\nLUT_3D_SIZE 2\n": "line 2: the size of the table is written twice",
    "LUT_3D_SIZE 2\nDOMAIN_MIN 0 0\n": "line 2: there are 2 words, not 3 numbers",
    "LUT_3D_SIZE 2\nDOMAIN_MIN 0 1 0\n" + ROWS: "line 3: the table's range ends at or below its beginning",
    "LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0\n": "line 2: `LUT_3D_INPUT_RANGE` needs two numbers",
    "LUT_3D_SIZE 2\nLUT_IN_LOG\n": "line 2: `LUT_IN_LOG` is no key of a .cube file",
    "LUT_3D_SIZE 2\nLUT_IN_VIDEO_RANGE 0 1\n": "line 2: `LUT_IN_VIDEO_RANGE` stands alone on its line",
    "LUT_3D_SIZE 2\nLUT_IN_VIDEO_RANGE\nDOMAIN_MAX 2 2 2\n" + ROWS: "line 4: the table has a range of its own",
    "LUT_3D_SIZE 2\n0 0 0\nDOMAIN_MAX 1 1 1\n": "line 3: `DOMAIN_MAX` is below the first row of the table",
    "title: A Film\n": "line 1: `title:` is no key of a .cube file",
    "\n\n": "line 2: the table ends after 0 rows",
}


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN.values())
def test_a_broken_table_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "look.cube"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MediaError) as caught:
        check_cube(file)
    assert caught.value.message.startswith(f"{file} is no colour table, at {BROKEN[text]}"), caught.value.message


def test_what_other_programs_write_is_read(tmp_path: Path) -> None:
    file = tmp_path / "look.cube"
    head = '\ufeff# made by hand\r\nTITLE "Späte Sonne"\r\n\r\nLUT_3D_SIZE 2\r\n\tDOMAIN_MIN 0 0 0\r\n'
    file.write_bytes((head + ROWS.replace("\n", "  \r\n").replace("1 0 0", "1.0E+0 -0.0 5e-2")).encode())
    (table,) = read_cube(file, file_digest(file))
    rows = table.rows.splitlines()
    assert (table.dimensions, table.size, len(rows)) == (3, 2, 8)
    assert rows[1] == "1.0E+0 -0.0 5e-2" and not table.has_own_domain
    table.write(tmp_path / "written.cube")
    assert read_cube(tmp_path / "written.cube", file_digest(tmp_path / "written.cube")) == (table,)
    file.write_bytes(b"TITLE \xe9t\xe9\nLUT_3D_SIZE 2\n" + ROWS.encode())
    check_cube(file)


def test_a_file_that_is_too_large_for_a_table_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "look.cube"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)
    with pytest.raises(MediaError, match="1,099,512 MB"):
        check_cube(file)


def test_a_table_that_was_changed_after_the_plan_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "look.cube"
    file.write_text("LUT_3D_SIZE 2\n" + ROWS)
    planned = file_digest(file)
    file.write_text("LUT_3D_SIZE 2\n" + ROWS.replace("1 1 1", "1 1 0"))
    with pytest.raises(MediaError, match="was changed after the film was planned"):
        read_cube(file, planned)
    file.unlink()
    with pytest.raises(MediaError, match="cannot be read"):
        read_cube(file, "0")
