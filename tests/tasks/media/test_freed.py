"""A decoded frame is freed when it was used: a frame of 720p is 1.4 MB, and Python's collector comes late to it.

PyAV's objects are counted, and not bytes: of which there are any left without the collector, a long film has thousands.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storyreel.specs.timing import FrameRate
from storyreel.tasks.inspection.integrity import check_header
from storyreel.tasks.media.contact_sheet import shot_picture
from storyreel.tasks.media.frames import _by_number, first_frame, last_frame, strip
from storyreel.tasks.media.probe import keyframes, probe, signature
from storyreel.tasks.media.wholeness import check_sound, check_video
from tests.tasks.generated_clips import make_clip
from tests.tasks.join.test_assemble import Film, cut_of

RATE = FrameRate.parse("24")
READERS: dict[str, Callable[[Path], object]] = {
    "probe": probe,
    "signature": signature,
    "keyframes": keyframes,
    "first frame": first_frame,
    "last frame": last_frame,
    "strip": lambda clip: strip(clip, 96),
    "strip of a file that cannot be searched": _by_number,
    "picture of a shot": lambda clip: shot_picture(clip, 6, 24, RATE, (64, 36)),
    "check of a header": check_header,
    "check of a sound": check_sound,
    "check of a video": check_video,
}


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def decoded() -> Counter[str]:
    """The objects of PyAV that exist, by their kind."""
    kinds = (type(each) for each in gc.get_objects())
    return Counter(f"{kind.__module__}.{kind.__name__}" for kind in kinds if str(kind.__module__).startswith("av."))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("freed") / "clip.mp4", options=("-metadata:s:v", "rotate=90"))


@pytest.mark.parametrize("reader", READERS)
def test_what_reads_a_clip_leaves_nothing_of_it_in_memory(clip: Path, reader: str, collector_off: None) -> None:
    READERS[reader](clip)
    before = decoded()
    READERS[reader](clip)
    assert decoded() == before


def test_a_film_is_conformed_and_joined_and_nothing_of_it_stays_in_memory(tmp_path: Path, collector_off: None) -> None:
    clips = [make_clip(tmp_path / f"{number}.mp4", frames=30 + number) for number in range(3)]
    film = Film(tmp_path, cut_of([24, 24, 24], {1: 6}), clips.__getitem__)
    before = decoded()
    asyncio.run(film.assembled())
    assert decoded() == before
