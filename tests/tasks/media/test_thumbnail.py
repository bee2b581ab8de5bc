"""A small picture of a clip: of what it shows, at a small size."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import thumbnail
from tests.tasks.scenery import film, scene


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def test_it_shows_what_the_clip_does_and_is_small(tmp_path: Path) -> None:
    clip, other = (film(tmp_path / f"{seed}.mp4", scene(seed)) for seed in (1, 2))
    picture = thumbnail(clip, 112)
    assert opened(picture).size == (112, 63) and len(picture) < 5000
    again, different = thumbnail(clip, 112), thumbnail(other, 112)
    assert again == picture
    assert sum(ImageStat.Stat(ImageChops.difference(opened(picture), opened(different))).mean) > 10


def test_it_is_taken_from_the_middle_where_the_clip_has_a_picture_of_its_own_there(tmp_path: Path) -> None:
    twofold = film(tmp_path / "two.mp4", scene(1), scene(2), options=("-force_key_frames", "expr:gte(n,n_forced*30)"))
    second = film(tmp_path / "second.mp4", scene(2))
    difference = ImageChops.difference(opened(thumbnail(twofold, 112)), opened(thumbnail(second, 112)))
    assert sum(ImageStat.Stat(difference).mean) < 10


def test_what_is_no_clip_has_none(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no clip")
    with pytest.raises(MediaError):
        thumbnail(tmp_path / "clip.mp4", 112)
