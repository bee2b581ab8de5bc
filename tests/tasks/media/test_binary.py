from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.tasks.media.binary import Binary, find_ffmpeg
from storyreel.tasks.media.errors import MediaError


def _program(folder: Path, output: str) -> Path:
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n")
    program.chmod(0o755)
    return program


def test_the_bundled_ffmpeg_is_used_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORYREEL_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", "")
    assert "imageio_ffmpeg" in find_ffmpeg().path.parts
    assert find_ffmpeg().release >= (5, 1)


def test_the_one_of_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = find_ffmpeg().path
    named = tmp_path / "mine"
    named.symlink_to(real)
    monkeypatch.setenv("STORYREEL_FFMPEG", str(named))
    assert find_ffmpeg().path == named


def test_a_capable_one_on_the_path_comes_before_the_bundled_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ffmpeg").symlink_to(find_ffmpeg().path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg().path == tmp_path / "ffmpeg"


def test_one_on_the_path_that_lacks_something_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _program(tmp_path, "ffmpeg version 6.1 Copyright")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert find_ffmpeg().path != tmp_path / "ffmpeg"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (
            "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright",
            "filters of ffmpeg 5.1: it is version 4.4.2-0ubuntu0.22.04.1",
        ),
        ("ffmpeg version 6.1 Copyright", "libx264"),
        ("hello", "-version"),
    ],
)
def test_a_named_one_that_lacks_something_is_refused_with_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str, why: str
) -> None:
    monkeypatch.setenv("STORYREEL_FFMPEG", str(_program(tmp_path, output)))
    with pytest.raises(MediaError, match=why) as refused:
        find_ffmpeg()
    assert "unset STORYREEL_FFMPEG" in refused.value.hint


def test_a_name_that_is_not_a_program_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STORYREEL_FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(MediaError, match="is not a program"):
        find_ffmpeg()


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("n9.0.2-17-g2a571b6068-20260930", (9, 0)),
        ("5.1.9-0+deb12u1", (5, 1)),
        ("N-118000-gabcdef", (999, 0)),
        ("7.0", (7, 0)),
    ],
)
def test_the_release_is_read_from_every_form_of_version(version: str, release: tuple[int, int]) -> None:
    assert Binary(Path("ffmpeg"), version).release == release
