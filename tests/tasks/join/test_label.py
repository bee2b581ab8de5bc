"""The label in the picture of a shot: in its corner, in every frame, over nothing else; and tags of the film's file."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.specs.cut import EditPoints
from storyreel.specs.language.finishing.imprint import Corner, Metadata
from storyreel.specs.language.tongues import language_code
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip, conform_key
from storyreel.tasks.join.label_mark import SIZE, LabelMark
from storyreel.tasks.join.text_tracks import track_language
from storyreel.tasks.media.house_format import HouseFormat
from tests.tasks.generated_clips import TINY, ffmpeg, make_clip
from tests.tasks.join.test_assemble import Film, cut_of

HOUSE = HouseFormat(width=320, height=180, rate=TINY.rate)
MARK = LabelMark(text="AI generated", corner="bottom right")
WHOLE = EditPoints(0, 8)
BOXES: dict[Corner, tuple[bool, bool]] = {
    "top left": (True, True), "top right": (False, True), "bottom left": (True, False), "bottom right": (False, False),
}  # fmt: skip


async def _conformed(clip: Path, into: Path, label: LabelMark | None, edit: EditPoints = WHOLE) -> HouseClip:
    return await conform_clip(clip, Conforming(edit, HOUSE, keep_sound=False, label=label), into=into)


def _frames(clip: HouseClip) -> list[Image.Image]:
    with av.open(str(clip.picture)) as opened:
        return [frame.to_image() for frame in opened.decode(video=0)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mp4", frames=8, size="320x180", sound=None, options=("-crf", "4"))


async def test_it_is_in_every_frame_and_the_picture_around_it_stays(clip: Path, tmp_path: Path) -> None:
    faded = EditPoints(0, 8, fade_in=4)
    plain = await _conformed(clip, tmp_path / "plain", None, edit=faded)
    labelled = await _conformed(clip, tmp_path / "labelled", MARK, edit=faded)
    assert sorted(file.name for file in (tmp_path / "labelled").iterdir()) == ["picture.mp4", "piece.json"]
    image, (x, y) = MARK.drawn((320, 180))
    box = (x, y, x + image.width, y + image.height)
    assert 0 < 320 - box[2] < 12 and 0 < 180 - box[3] < 12, "in its corner"
    for before, after in zip(_frames(plain), _frames(labelled), strict=True):
        shown = after.crop(box).convert("L").getextrema()
        assert shown[1] > 190, "it is not dimmed by the fade"
        changed = ImageChops.difference(before, after).convert("L")
        changed.paste(0, (x - 8, y - 8, box[2] + 8, box[3] + 8))
        assert ImageStat.Stat(changed).mean[0] < 1.5, "nothing else is changed, but for the encoder's choices"
    again = await _conformed(clip, tmp_path / "again", MARK, edit=faded)
    assert again.picture_digest == labelled.picture_digest, "equal input, equal bytes"


async def test_a_clip_that_would_be_copied_is_encoded(tmp_path: Path, clip: Path) -> None:
    assert not (await _conformed(clip, tmp_path / "labelled", MARK)).untouched


@pytest.mark.parametrize("corner", get_args(Corner))
@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (1080, 1080)])
def test_it_is_in_its_corner_and_as_large_as_the_shorter_side_asks(corner: Corner, size: tuple[int, int]) -> None:
    image, (x, y) = LabelMark(text="AI 生成", corner=corner).drawn(size)
    is_left, is_top = BOXES[corner]
    assert (x < 40) is is_left and (y < 40) is is_top
    assert x > 0 and y > 0 and x + image.width < size[0] and y + image.height < size[1]
    ink = image.getchannel("R").getbbox()
    assert ink and ink[3] - ink[1] >= 0.7 * SIZE * min(size), "the height of its capitals"


def test_the_key_knows_the_label_and_is_what_it_was_without() -> None:
    def key(label: LabelMark | None = None) -> str:
        return conform_key("clip", Conforming(WHOLE, TINY, label=label), "9")

    labels = [MARK, MARK.model_copy(update={"text": "AI"}), MARK.model_copy(update={"corner": "top left"})]
    assert key() == conform_key("clip", Conforming(WHOLE, TINY), "9")
    assert len({key(), *map(key, labels)}) == 4
    assert key(MARK) == key(MARK.model_copy(update={"on": "all"})), "the picture is the same"


TAGS = Metadata(
    description="A boat — ボート", date="2026-11-30", language="fr", author="Ana Film", copyright="© 2026 Ana"
).tags


async def test_tags_are_in_the_file_and_without_them_it_is_what_it_was(tmp_path: Path) -> None:
    def source(shot: str) -> Path:
        return make_clip(tmp_path / f"{shot}.mp4", frames=12)

    film = Film(tmp_path, cut_of([12, 12]), source)
    plain = (await film.assembled()).digest
    assert (await film.assembled(tags={})).digest == plain
    tagged = await film.assembled(tags=TAGS)
    assert tagged.digest != plain
    with av.open(str(tagged.path)) as opened:
        found = opened.metadata
        assert opened.streams.audio[0].language == "fra"
    assert {found[name] for name in ("description", "date", "artist", "copyright")} == set(TAGS.values()) - {"fr"}
    assert (await film.assembled(tags=TAGS)).digest == tagged.digest


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_track_has_its_language_in_either_container(tmp_path: Path, suffix: str) -> None:
    house = TINY.model_copy(update={"codec": "prores-422-hq"}) if suffix == ".mov" else TINY
    assert house.suffix == suffix
    codes = [language_code(tag) for tag in ("en", "de", "fr", "nl", "sv", "el", "is", "zh", "ja", "cy", "hr", "sr")]
    options: list[str] = []
    for number, code in enumerate(codes):
        options += ["-map", "0:a", f"-metadata:s:a:{number}", f"language={track_language(code, house)}"]
    sound = "aac" if suffix == ".mp4" else "pcm_s24le"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=d=0.1", *options, "-c:a", sound, file := tmp_path / f"film{suffix}")
    with av.open(str(file)) as film:
        found = [stream.language for stream in film.streams]
    assert len(found) == len(codes) and not {None, "und"}.intersection(found)
