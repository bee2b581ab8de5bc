from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.specs.cut import EditPoints
from storyreel.tasks.join.assemble import FilmFile, picture_ranges
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_key
from storyreel.tasks.join.dissolve import dissolve_key
from storyreel.tasks.join.mux import PictureRange
from storyreel.tasks.join.overlay import (
    OverlaidClip,
    Overlay,
    Stretch,
    lay_over,
    overlay_key,
    place_overlay,
    stretches,
    with_overlaid,
)
from storyreel.tasks.join.pieces import PicturePiece
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import joints
from tests.tasks.generated_clips import TINY, ffmpeg, make_clip
from tests.tasks.join.test_assemble import Film, cut_of

WHITE = (255, 255, 255, 255)
Words = tuple[int, int, tuple[int, int]]
"""First frame, end, and the frames of the fades."""
BOX = (24, 24, 56, 36)
"""Inside of the picture that `_words` lays over, at any of its places."""


def _words(
    start: int, end: int, fades: tuple[int, int] = (0, 0), *, at: tuple[int, int] = (20, 20),
    colour: tuple[int, ...] = WHITE,
) -> Overlay:  # fmt: skip
    overlay = place_overlay(Image.new("RGBA", (40, 20), colour), at, (start, end), fades)
    assert overlay
    return overlay


class _Lettered:
    """A film of two shots and a dissolve, with words over it."""

    def __init__(self, folder: Path, lengths: Sequence[int] = (60, 40), dissolve: int = 12, rate: str = "24") -> None:
        source = make_clip(folder / "take.mp4", frames=sum(lengths), fps=str(cut_of([1], rate=rate).rate.exact))
        self.film = Film(folder, cut_of(list(lengths), {1: dissolve} if dissolve else {}, rate), lambda _: source)

    async def stretches(self, overlays: Sequence[Overlay]) -> list[Stretch]:
        clips = await self.film.clips()
        dissolves = await self.film.dissolves(clips)
        by_file: dict[Path, PicturePiece] = {piece.picture: piece for piece in (*clips, *dissolves.values())}
        ranges = picture_ranges(self.film.cut, clips, dissolves)
        return [each for part in ranges for each in stretches(by_file[part.file], part, overlays)]

    async def pieces(self, overlays: Sequence[Overlay], *, is_draft: bool = False) -> dict[int, OverlaidClip]:
        found = await self.stretches(overlays)
        house, folder = self.film.house, self.film.folder
        return {
            each.at: await lay_over(
                each, house, folder / overlay_key(each, house, "", is_draft=is_draft), is_draft=is_draft
            )
            for each in found
        }

    async def made(self, overlays: Sequence[Overlay], name: str = "lettered.mp4") -> FilmFile:
        return await self.film.assembled(self.film.folder / name, overlaid=await self.pieces(overlays))


def _frames(film: Path) -> list[Image.Image]:
    with av.open(str(film)) as file:
        return [frame.to_image() for frame in sorted(file.decode(video=0), key=lambda frame: frame.pts or 0)]


def _opacity(plain: Image.Image, lettered: Image.Image) -> float:
    """The opacity of the white over the box, 0 to 1."""
    below, above = (ImageStat.Stat(each.convert("L").crop(BOX)).mean[0] for each in (plain, lettered))
    return (above - below) / (255 - below)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("24", [(37, 83, (5, 9))]),
        ("23.976", [(0, 100, (0, 0))]),
        ("60", [(50, 70, (12, 12)), (75, 76, (0, 0)), (99, 120, (1, 1))]),
    ],
)
async def test_words_lie_on_their_frames_to_the_frame_over_a_dissolve_and_nowhere_else(
    tmp_path: Path, rate: str, words: Sequence[Words]
) -> None:
    await _lie_exactly(_Lettered(tmp_path, rate=rate), words)


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(24))
async def test_words_lie_on_their_frames_in_any_film(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lengths = [chance.choice((13, 30, 47, 260, 520)) for _ in range(2)]
    rate, dissolve = chance.choice(("24", "25", "29.97", "50", "23.976")), chance.choice((0, 1, 2, 7, 12))
    words, at = [], chance.randrange(20)
    while at < sum(lengths):
        length = chance.choice((1, 2, 5, 24, 71, 300))
        words.append((at, at + length, (chance.randrange(length // 2 + 1), chance.randrange(length // 2 + 1))))
        at += length + chance.choice((0, 1, 3, 60, 240))
    await _lie_exactly(_Lettered(tmp_path, lengths, dissolve, rate), words)


async def _lie_exactly(film: _Lettered, words: Sequence[Words]) -> None:
    folder = film.film.folder
    plain = _frames((await film.film.assembled(folder / "plain.mp4")).path)
    made = (await film.made([_words(*each) for each in words])).path
    lettered = _frames(made)
    assert len(plain) == len(lettered) == film.film.cut.frames
    seen = [_opacity(*pair) for pair in zip(plain, lettered, strict=True)]
    assert seen == pytest.approx(
        [sum(_wanted(frame, *each) for each in words) for frame in range(len(plain))], abs=0.04
    )
    outside = [
        ImageChops.difference(one.convert("L"), two.convert("L")) for one, two in zip(plain, lettered, strict=True)
    ]
    for each in outside:
        each.paste(0, (16, 16, 64, 44))
    assert max(ImageStat.Stat(each).mean[0] for each in outside) < 3
    ffmpeg("-xerror", "-err_detect", "explode", "-i", made, "-map", "0:v", "-f", "null", "-")


def _wanted(frame: int, start: int, end: int, fades: tuple[int, int]) -> float:
    """The opacity of words in a frame of the film."""
    if not start <= frame < end:
        return 0
    return min(1, (frame - start + 1) / (fades[0] + 1)) * min(1, (end - frame) / (fades[1] + 1))


async def test_what_is_not_beneath_keeps_its_bytes(tmp_path: Path) -> None:
    """From at most two frames before the first that is covered, which hang together, to the next keyframe."""
    film = _Lettered(tmp_path, (290, 40), 0)
    plain = _packets((await film.film.assembled(tmp_path / "plain.mp4")).path)
    lettered = _packets((await film.made([_words(240, 249)])).path)
    changed = {frame for frame in plain if plain[frame] != lettered[frame]}
    assert 238 <= min(changed) <= 240 and max(changed) == 249
    assert set(plain) == set(lettered) == set(range(330))


def _packets(film: Path) -> dict[int, str]:
    """The digest of each frame's packet, by the frame."""
    with av.open(str(film)) as file:
        stream = file.streams.video[0]
        return {
            round((packet.pts or 0) * (stream.time_base or 0) * (stream.average_rate or 0)): hashlib.sha256(
                bytes(packet)
            ).hexdigest()
            for packet in file.demux(stream)
            if packet.pts is not None
        }


async def test_changed_words_encode_their_frames_again_and_nothing_else(tmp_path: Path) -> None:
    film = _Lettered(tmp_path, (60, 300, 60), 0)

    async def keys(overlays: Iterable[Overlay]) -> set[str]:
        return {overlay_key(each, film.film.house, "9.0") for each in await film.stretches(list(overlays))}

    # Over a cut, in the middle of a shot of two groups of frames, and over the whole film.
    one, two, logo = _words(50, 70), _words(330, 350, (3, 3)), _words(0, 420, (9, 9))
    before = await keys([one, two])
    assert len(before) == 3
    later = two.model_copy(update={"start": 340, "end": 352})
    assert len(await keys([one, later]) - before) == 1
    assert len(await keys([one]) & before) == 2
    assert await keys([one, two.model_copy(update={"png": b"compressed otherwise"})]) == before
    reworded = one.model_copy(update={"digest": "of other words"})
    assert len(await keys([reworded, two]) - before) == 2
    assert await keys([one, two, _words(400, 410)]) > before
    # Only the piece in which it ends is another one when it ends earlier.
    long = await keys([logo])
    assert len(long) == 4
    assert len(await keys([logo.model_copy(update={"end": 418})]) - long) == 1
    assert len(await keys([logo.model_copy(update={"fade_in": 8})]) - long) == 1
    assert len({overlay_key(each, TINY, "9.0", is_draft=True) for each in await film.stretches([one])} | before) == 5


async def test_the_same_words_twice_lie_one_over_the_other_in_their_order(tmp_path: Path) -> None:
    film = _Lettered(tmp_path, (40, 20), 0)
    twice = [_words(5, 10), _words(20, 30), _words(20, 25, colour=(0, 0, 0, 255))]
    shown = _frames((await film.made(twice)).path)
    brightness = [ImageStat.Stat(each.convert("L").crop(BOX)).mean[0] for each in shown]
    assert min(brightness[5:10]) > 250 and min(brightness[25:30]) > 250 and max(brightness[20:25]) < 5


async def test_in_a_draft_its_mark_stays_above_all_words(tmp_path: Path) -> None:
    film = _Lettered(tmp_path, (24, 12), 0)
    overlay = place_overlay(Image.new("RGBA", (128, 72), WHITE), (0, 0), (6, 18), (0, 0))
    assert overlay
    pieces = await film.pieces([overlay], is_draft=True)
    covered = [each.convert("L") for piece in pieces.values() for each in _frames(piece.picture)][3]
    # The take bears no mark: what stays is what lies in its place.
    inside = covered.crop((54, 4, 72, 8))
    covered.paste(255, (50, 0, 76, 12))
    assert covered.getextrema()[0] > 240 > 200 > inside.getextrema()[0]


def test_only_what_is_visible_is_laid_over_at_even_places() -> None:
    canvas = Image.new("RGBA", (100, 60))
    assert place_overlay(canvas, (0, 0), (0, 5), (0, 0)) is None
    canvas.paste(WHITE, (31, 11, 42, 20))
    overlay = place_overlay(canvas, (3, 4), (0, 5), (0, 0))
    assert overlay and (overlay.x, overlay.y) == (34, 14)
    with Image.open(io.BytesIO(overlay.png)) as picture:
        assert picture.size == (12, 10)
        assert picture.getchannel("A").getbbox() == (0, 1, 11, 10)
    assert place_overlay(canvas, (3, 4), (7, 9), (1, 1)) == overlay.model_copy(
        update={"start": 7, "end": 9, "fade_in": 1, "fade_out": 1}
    )


@pytest.mark.parametrize("options", [("-bf", "2"), ("-bf", "5", "-b_strategy", "2"), ("-bf", "0")])
async def test_a_clip_can_end_wherever_it_is_said_to(tmp_path: Path, options: tuple[str, ...]) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=40, options=("-g", "17", *options))
    where = joints(clip)
    assert where.keyframes == (0, 17, 34) and where.ends[-1] == 40 and set(where.keyframes[1:]) <= set(where.ends)
    with av.open(str(clip)) as file:
        order = [packet for packet in file.demux(video=0) if packet.pts is not None]
    shown = sorted(packet.pts or 0 for packet in order)
    for count in range(1, 41):
        is_whole = sorted(packet.pts or 0 for packet in order[:count]) == shown[:count]
        assert is_whole == (count in where.ends)


async def test_words_that_do_not_fit_the_clips_are_refused(tmp_path: Path) -> None:
    film = _Lettered(tmp_path, (40, 20), 0)
    (stretch,) = await film.stretches([_words(5, 10)])
    with pytest.raises(MediaError, match=r"with words over it has 36 frames instead of 46, or is encoded differently"):
        await lay_over(stretch._replace(last=50), film.film.house, tmp_path / "piece")
    assert not (tmp_path / "piece").exists()


def test_pieces_take_the_place_of_the_frames_that_they_were_made_of() -> None:
    file, other = Path("a"), Path("b")
    pieces = {at: OverlaidClip(picture=Path(f"p{at}"), picture_digest="", frames=10, delay=1, signature="")
              for at in (20, 30, 95)}  # fmt: skip
    ranges = [PictureRange(file, 5, 45, 10), PictureRange(other, 0, 55, 50)]
    assert list(with_overlaid(ranges, pieces)) == [
        PictureRange(file, 5, 15, 10), PictureRange(Path("p20"), 0, 10, 20), PictureRange(Path("p30"), 0, 10, 30),
        PictureRange(file, 35, 45, 40), PictureRange(other, 0, 45, 50), PictureRange(Path("p95"), 0, 10, 95),
    ]  # fmt: skip
    assert list(with_overlaid(ranges, {})) == ranges


def test_a_film_without_words_has_the_pieces_that_it_had() -> None:
    """As the version before there were words computed them: nothing that is kept is made again because of them."""
    one, two = (
        HouseClip(picture=Path(name), picture_digest=name, frames=40, delay=1, signature="", sound=None,
                  sound_digest=None, untouched=False)
        for name in "ab"
    )  # fmt: skip
    assert [
        conform_key("take", Conforming(EditPoints(2, 30, join_out=6, fade_in=4), TINY, accept="sig"), "9.0"),
        conform_key("take", Conforming(EditPoints(0, 30), TINY, keep_sound=False, is_draft=True), "9.0"),
        dissolve_key(one, two, 6, TINY, "9.0"),
    ] == [
        "9c24609dee24c82f795bfc3fcba90286eb1244f38c5a127b97ed67f10fa3ba94",
        "a1da6b66db4ad6ec4a32960cba2acaf6b076626f31029d2a4249316449cdd5df",
        "8c41ee1daff5824a8ba62cf1ce8396577c1c0e7d0f0f282503c6dc9ab0cb14cd",
    ]
