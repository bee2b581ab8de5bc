"""The emulators deliver real clips, as long and as large as ordered, no two alike."""

from __future__ import annotations

import io

import av
import pytest

from storyreel.testing.footage import footage


@pytest.mark.parametrize(("seconds", "width", "height"), [(2, 1280, 720), (5, 720, 1280), (2, 1104, 832)])
def test_a_clip_has_its_frames_its_size_and_sound(seconds: int, width: int, height: int) -> None:
    with av.open(io.BytesIO(footage(seconds, width, height, "task")), "r") as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", width, height)
        assert picture.average_rate == 30
        assert sound.codec_context.name == "aac"
        assert picture.frames == seconds * 30
        assert sum(1 for _ in container.decode(video=0)) == seconds * 30


def test_each_task_has_bytes_of_its_own_and_the_same_each_time() -> None:
    first, second = footage(2, 1280, 720, "one"), footage(2, 1280, 720, "two")
    assert first != second
    assert first == footage(2, 1280, 720, "one")
