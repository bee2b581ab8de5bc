"""Pieces that one host has encoded are joined on another, and no host waits for another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from storyreel.specs.cut import EditPoints
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.join.dissolve import DissolveClip, dissolve_clips
from storyreel.tasks.join.mux import PictureRange
from storyreel.tasks.join.overlay import lay_over, place_overlay, stretches
from storyreel.tasks.join.pieces import SharedPieces
from storyreel.tasks.media.probe import probe
from storyreel.tasks.storage.bucket import Bucket
from tests.tasks.generated_clips import TINY, make_clip

KEY = "ab" * 32
WHOLE = EditPoints(0, 24)
"""All of a clip, between cuts."""
PART = EditPoints(2, 20)


class Host:
    """A host with its own house cache, and a bucket that it shares with others."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self.folder, self.shared = folder, SharedPieces(Bucket(url))

    async def conform(self, take: Path, edit: EditPoints = PART) -> HouseClip:
        into = self.folder / "house" / KEY
        return await conform_clip(take, Conforming(edit, TINY), into=into, shared=self.shared)

    def take(self, content: bytes) -> Path:
        """The take, where this host's store keeps it."""
        place = self.folder / "take.mp4"
        place.write_bytes(content)
        return place


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A clip that needs no encoding."""
    tagged = "setparams=range=tv:colorspace=bt709:color_primaries=bt709"
    return make_clip(tmp_path / "take.mp4", filters=tagged).read_bytes()


@pytest.fixture
def hosts(tmp_path: Path, bucket: str) -> tuple[Host, Host]:
    return Host(tmp_path / "one", bucket + "house"), Host(tmp_path / "other", bucket + "house")


@pytest.mark.parametrize("edit", [PART, WHOLE], ids=["encoded", "untouched"])
async def test_a_clip_is_conformed_once_for_all_hosts(
    hosts: tuple[Host, Host], content: bytes, encoded: list[str], edit: EditPoints
) -> None:
    one, other = hosts
    first = await one.conform(one.take(content), edit)
    assert first.untouched is (edit is WHOLE) and encoded == ["storyreel.tasks.join.conform"]
    second = await other.conform(other.take(content), edit)
    assert encoded == ["storyreel.tasks.join.conform"], "nothing was encoded again"
    assert second.is_intact() and all(file.is_relative_to(other.folder) for file in second.files)
    assert sorted(second.files.values()) == sorted(first.files.values())
    if edit is WHOLE:
        assert second.picture == other.folder / "take.mp4", "an untouched picture is the take, and travels as that"


async def test_an_untouched_clip_found_again_is_still_the_take(hosts: tuple[Host, Host], content: bytes) -> None:
    first = await hosts[0].conform(hosts[0].take(content), WHOLE)
    assert await hosts[0].conform(hosts[0].folder / "take.mp4", WHOLE) == first


async def test_a_dissolve_is_made_once_for_all_hosts(
    hosts: tuple[Host, Host], content: bytes, encoded: list[str], tmp_path: Path
) -> None:
    one, other = hosts
    edit = EditPoints(0, 20, join_out=6)
    how = Conforming(edit, TINY, keep_sound=False, accept="")
    clip = await conform_clip(one.take(content), how, into=tmp_path / "a")
    encoded.clear()
    made = [
        await dissolve_clips(clip, clip, 6, TINY, host.folder / "house" / ("cd" * 32), shared=host.shared)
        for host in hosts
    ]
    assert encoded == ["storyreel.tasks.join.dissolve"]
    assert made[0].picture_digest == made[1].picture_digest and made[1].picture.is_relative_to(other.folder)
    assert isinstance(made[1], DissolveClip) and probe(made[1].picture).frames == 6


async def test_words_are_laid_over_once_for_all_hosts(
    hosts: tuple[Host, Host], content: bytes, encoded: list[str], tmp_path: Path
) -> None:
    how = Conforming(PART, TINY, keep_sound=False, accept="")
    clip = await conform_clip(hosts[0].take(content), how, into=tmp_path / "a")
    words = place_overlay(Image.new("RGBA", (40, 20), "white"), (20, 20), (0, 5), (0, 0))
    assert words
    (stretch,) = stretches(clip, PictureRange(clip.picture, 0, clip.frames, 0), [words])
    encoded.clear()
    made = [await lay_over(stretch, TINY, host.folder / "house" / ("ef" * 32), shared=host.shared) for host in hosts]
    assert encoded == ["storyreel.tasks.join.overlay"]
    assert made[0].picture_digest == made[1].picture_digest
    assert made[1].picture.is_relative_to(hosts[1].folder) and made[1].is_intact()


@pytest.mark.parametrize("damage", ["picture", "record", "missing", "leads out"])
async def test_a_damaged_piece_in_the_bucket_is_made_again_and_replaced(
    hosts: tuple[Host, Host], content: bytes, encoded: list[str], damage: str, bucket: str, tmp_path: Path
) -> None:
    one, other = hosts
    first = await one.conform(one.take(content))
    system, place = fsspec.filesystem("s3"), f"{bucket}house/ab/{KEY}/"
    record = system.cat_file(place + "piece.json")
    match damage:
        case "picture":
            system.pipe_file(place + "picture.mp4", b"another picture")
        case "record":
            system.pipe_file(place + "piece.json", record[:-20])
        case "missing":
            system.rm_file(place + "picture.mp4")
        case "leads out":
            system.pipe_file(place + "piece.json", json.dumps(json.loads(record) | {"picture": "../../x.mp4"}).encode())
    second = await other.conform(other.take(content))
    assert second.is_intact() and second.picture_digest == first.picture_digest
    assert encoded == ["storyreel.tasks.join.conform"] * 2
    assert system.cat_file(place + "piece.json") == record
    assert not list(tmp_path.rglob("x.mp4"))
    third = Host(tmp_path / "third", bucket + "house")
    assert (await third.conform(third.take(content))).is_intact()
    assert encoded == ["storyreel.tasks.join.conform"] * 2, "the next host finds it intact"


async def test_while_the_bucket_cannot_be_reached_pieces_are_made_and_it_is_tried_once(
    hosts: tuple[Host, Host], content: bytes, away: Callable[[], None], back: Callable[[], None]
) -> None:
    one = hosts[0]
    away()
    assert (await one.conform(one.take(content))).is_intact()
    assert "did not give piece.json" in one.shared.last_error
    back()
    (empty := one.folder / "empty").mkdir()
    assert one.shared.download(HouseClip, KEY, empty, None) is None, "the bucket is not tried again for a while"
