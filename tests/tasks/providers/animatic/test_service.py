"""The animatic as a service: exact clips, in house format, the same every time, complete or absent."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.probe import probe
from storyreel.tasks.media.text import typefaces
from storyreel.tasks.providers.animatic.canvas import Canvas
from storyreel.tasks.providers.animatic.captions import timecode
from storyreel.tasks.providers.animatic.service import Animatic
from storyreel.tasks.providers.errors import FileChanged, Terminal
from storyreel.tasks.providers.provider import TaskStatus
from tests.fonts import LINES, no_fonts, packaged_fonts  # noqa: F401
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.animatic.drawing import (
    attachment,
    board_of,
    difference,
    drawn,
    frames_of,
    landscape,
    request,
    samples_of,
)

RATES = ("12", "15", "16", "23.976", "24", "25", "29.97", "30", "48", "50", "59.94", "60")
FINISHED = TaskStatus(state="finished")


@pytest.mark.parametrize("fps", RATES)
async def test_a_clip_has_its_frames_and_its_sound_to_the_sample_at_every_rate(fps: str, tmp_path: Path) -> None:
    ordered = request(fps=fps, frames=7, camera="push in")
    clip = await drawn(ordered, tmp_path / "clip.mp4")
    seen, rate = probe(clip), FrameRate.parse(fps)
    assert (seen.frames, seen.rate, seen.seconds) == (7, rate.exact, rate.seconds(7))
    assert samples_of(clip) == rate.sample_at(7)


@pytest.mark.parametrize("resolution", ["720p", "1080p"])
@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1", "4:3", "3:4"])
async def test_a_clip_is_in_house_format_in_every_shape(ratio: str, resolution: str, tmp_path: Path) -> None:
    ordered = request(ratio=ratio, resolution=resolution, frames=3, camera="pan left")
    seen = probe(await drawn(ordered, tmp_path / "clip.mp4"))
    house = HouseFormat(width=ordered.width, height=ordered.height, rate=board_of(ordered).rate)
    assert seen.signature == await house_signature(house)
    assert house.matches(seen)


async def test_a_clip_of_a_playing_video_is_in_house_format_too(tmp_path: Path) -> None:
    walk = make_clip(tmp_path / "walk.mp4", frames=15, fps="30", size="640x360")
    ordered = request(frames=30, references=[attachment(walk, "video", "mira")])
    clip = await drawn(ordered, tmp_path / "clip.mp4")
    seen = probe(clip)
    assert seen.signature == await house_signature(HouseFormat(width=1280, height=720, rate=board_of(ordered).rate))
    assert seen.frames == 30 and samples_of(clip) == 60_000


async def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    ordered = request(
        first=landscape(tmp_path / "board.png"), camera="handheld", frames=8, dialogue=(("Mira", "Who's there?"),)
    )
    first, second = [(await drawn(ordered, tmp_path / name)).read_bytes() for name in ("one.mp4", "two.mp4")]
    assert first == second
    other = ordered.model_copy(update={"take": 2})
    assert (await drawn(other, tmp_path / "three.mp4")).read_bytes() != first


async def test_it_costs_nothing_and_is_ready_at_once() -> None:
    animatic = Animatic()
    accepted = await animatic.submit(request())
    assert accepted.cost is None and not animatic.paid
    assert (await animatic.poll(accepted.task)).state == "finished"


def test_it_draws_every_mode_at_any_length_in_every_format() -> None:
    for mode in (each for each in Mode if each.product == "clip"):
        able = Animatic.capabilities[mode]
        assert able.mode is mode and able.draws_board
        rate = FrameRate.parse("23.976")
        assert able.shortest_sold(37, rate, [None]) == rate.seconds(37)


async def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    await Animatic().fetch(request(frames=48), FINISHED, tmp_path / "clip.mp4", told.append)
    assert told == sorted(told) and told[-1] == 1.0


async def test_a_cancelled_drawing_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()
    ordered = request(frames=20_000, camera="push in", first=landscape(tmp_path / "board.png"))
    folder = tmp_path / "clips"
    folder.mkdir()

    async def draw() -> None:
        await Animatic().fetch(ordered, FINISHED, folder / "clip.mp4", lambda fraction: begun.set())

    for wait_until_it_encodes in (False, True):
        work = asyncio.create_task(draw())
        await (begun.wait() if wait_until_it_encodes else asyncio.sleep(0.01))
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert list(folder.iterdir()) == []


async def test_a_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    clip = folder / "clip.mp4"
    clip.write_bytes(b"before")
    with pytest.raises(Terminal):
        await drawn(request(first=tmp_path / "missing.png"), clip)
    assert list(folder.iterdir()) == [clip]
    assert clip.read_bytes() == b"before"


@pytest.mark.parametrize("use", ["first", "last", "reference", "video"])
@pytest.mark.parametrize("when", ["before", "while it is drawn"])
async def test_what_is_drawn_from_another_picture_than_was_planned_is_not_kept(
    use: str, when: str, tmp_path: Path
) -> None:
    if use == "video":
        file = make_clip(tmp_path / "walk.mp4", frames=24, size="320x240")
        other = make_clip(tmp_path / "other.mp4", frames=12, size="320x240")
    else:
        file, other = landscape(tmp_path / "board.png", (640, 360)), tmp_path / "other.png"
        Image.new("RGB", (640, 360), "red").save(other)
    match use:
        case "first" | "last":
            ordered = request(**{use: file}, frames=48)
        case _:
            kind = "video" if use == "video" else "image"
            ordered = request(references=[attachment(file, kind, "mira")], frames=48)

    def change(_: float = 0) -> None:
        shutil.copy(other, file)

    folder = tmp_path / "clips"
    folder.mkdir()
    if when == "before":
        change()
    with pytest.raises(FileChanged, match=file.name):
        await Animatic().fetch(ordered, FINISHED, folder / "clip.mp4", change)
    with pytest.raises(FileChanged, match=file.name):
        await Animatic().write_last_frame(ordered, folder / "clip.mp4", folder / "last.png")
    assert list(folder.iterdir()) == []


async def test_folders_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = tmp_path / "it's 100%d, [a:b]; \\ ü"
    shutil.copytree(typefaces.FONTS, strange / "fonts")
    monkeypatch.setattr(typefaces, "FONTS", strange / "fonts")
    walk = make_clip(strange / "walk%03d.mp4", frames=3, size="640x360")
    for ordered in (
        request(frames=3, first=landscape(strange / "board %d.png")),
        request(frames=3, references=[attachment(walk, "video")]),
    ):
        assert len(frames_of(await drawn(ordered, strange / "clip %d.mp4"))) == 3


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Terminal, match=r"1A: .*nowhere") as refused:
        await drawn(request(), tmp_path / "nowhere" / "clip.mp4")
    assert "STORYREEL_HOME" in str(refused.value.__dict__["hint"])


async def test_a_request_without_a_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Terminal, match="no board"):
        await drawn(request().model_copy(update={"board": None}), tmp_path / "clip.mp4")


@pytest.mark.parametrize("fps", ["12", "23.976", "29.97"])
async def test_the_timecode_of_every_frame_is_burnt_in(fps: str, tmp_path: Path) -> None:
    rate = FrameRate.parse(fps)
    ordered = request(fps=fps, frames=2 * rate.nominal + 2)
    pictures = frames_of(await drawn(ordered, tmp_path / "clip.mp4"))
    place = timecode(Canvas(width=ordered.width, height=ordered.height))
    box = (place.x - 4, place.y - 4, ordered.width, place.y + place.size + 4)
    shown = [picture.crop(box).convert("L") for picture in pictures]
    font = ImageFont.truetype(str(typefaces.Weight.REGULAR.path), place.size)

    def written(text: str) -> Image.Image:
        paper = Image.new("L", shown[0].size)
        ImageDraw.Draw(paper).text((4, 4), text, font=font, fill=255, anchor="lt")
        return paper

    def apart(paper: Image.Image, picture: Image.Image) -> float:
        """Field by field, as ffmpeg's pen may stand a pixel or two beside Pillow's."""
        total = 0.0
        for field in range(4):
            left = 2 + int(font.getlength("00:" * field))
            box = (left, 0, left + int(font.getlength("00")) + 4, paper.height)
            total += min(
                difference(ImageChops.offset(paper, x, y).crop(box), picture.crop(box))
                for x in (-2, -1, 0, 1, 2) for y in (-1, 0, 1)
            )  # fmt: skip
        return total

    papers = {rate.timecode(frame): written(rate.timecode(frame)) for frame in range(len(pictures))}
    for frame in (1, rate.nominal, len(pictures) - 1):
        nearest = min(papers, key=lambda text: apart(papers[text], shown[frame]))
        assert nearest == rate.timecode(frame)


async def test_each_line_of_dialogue_is_shown_in_its_turn(tmp_path: Path) -> None:
    said = (("Mira", "Who's there?"), ("Tom", "Only me, and it has taken all of the night to come up here."))
    pictures = frames_of(await drawn(request(frames=24, dialogue=said), tmp_path / "clip.mp4"))
    feet = [picture.crop((64, 560, 1216, 700)) for picture in pictures]
    changes = [n for n in range(1, 24) if difference(feet[n - 1], feet[n]) > 2]
    assert len(changes) == 1
    assert 4 < changes[0] < 12  # the longer line has the longer time


async def test_a_guide_tone_is_quiet_and_fades_at_both_ends(tmp_path: Path) -> None:
    clip = await drawn(request(frames=48, dialogue=(("Mira", "Who's there?"),)), tmp_path / "clip.mp4")
    peaks = []
    with av.open(str(clip)) as file:
        for frame in file.decode(audio=0):
            values = memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples]
            peaks.append(max(map(abs, values)))
    assert 0.01 < max(peaks) < 0.08  # between -40 and -22 dBFS
    assert peaks[0] < max(peaks) / 4 and peaks[93] < max(peaks) / 4


async def test_shots_that_follow_each_other_sound_different(tmp_path: Path) -> None:
    sounds = set()
    for slate in ("1A", "1B", "1C", "2A"):
        clip = await drawn(request(frames=3, slate=slate), tmp_path / f"{slate}.mp4")
        with av.open(str(clip)) as file:
            sounds.add(b"".join(bytes(frame.planes[0]) for frame in file.decode(audio=0)))
    assert len(sounds) == 4


async def test_a_video_keeps_its_own_sound_quietly(tmp_path: Path) -> None:
    loud = make_clip(tmp_path / "loud.mp4", frames=24, size="640x360")
    mute = make_clip(tmp_path / "mute.mp4", frames=24, size="640x360", sound=None)
    heard = []
    for source in (loud, mute):
        clip = await drawn(request(frames=12, references=[attachment(source, "video")]), tmp_path / "clip.mp4")
        with av.open(str(clip)) as file:
            heard.append(b"".join(bytes(frame.planes[0]) for frame in file.decode(audio=0)))
    assert heard[0] != heard[1]
    assert max(map(abs, memoryview(heard[0]).cast("f"))) < 0.125  # ffmpeg's sine peaks at 1/8


async def test_the_last_frame_is_what_the_camera_sees_without_a_word(tmp_path: Path) -> None:
    still = landscape(tmp_path / "board.png", (1280, 720))
    ordered = request(first=still, camera="push in", frames=8)
    clip = await drawn(ordered, tmp_path / "clip.mp4")
    assert await Animatic().write_last_frame(ordered, clip, tmp_path / "last.png")
    last = Image.open(tmp_path / "last.png")
    assert last.size == (1280, 720)
    middle = (100, 200, 1180, 640)
    assert difference(last.crop(middle), frames_of(clip)[-1].crop(middle)) < 4
    # Where the clip has its slate, the picture has none: it is the still, larger.
    corner = (60, 34, 116, 84)
    assert difference(last.crop(corner), frames_of(clip)[-1].crop(corner)) > 20


async def test_a_card_has_no_frame_to_continue_with(tmp_path: Path) -> None:
    ordered = request(frames=3)
    clip = await drawn(ordered, tmp_path / "clip.mp4")
    assert not await Animatic().write_last_frame(ordered, clip, tmp_path / "last.png")
    assert not (tmp_path / "last.png").exists()


async def test_the_last_frame_of_a_video_is_the_one_that_the_clip_ends_with(tmp_path: Path) -> None:
    walk = make_clip(tmp_path / "walk.mp4", frames=10, fps="24", size="1280x720")
    ordered = request(frames=17, references=[attachment(walk, "video", "mira")])
    clip = await drawn(ordered, tmp_path / "clip.mp4")
    assert await Animatic().write_last_frame(ordered, clip, tmp_path / "last.png")
    middle = (100, 200, 1180, 560)
    last = Image.open(tmp_path / "last.png").crop(middle)
    played = [frame.crop(middle) for frame in frames_of(walk)]
    end = frames_of(clip)[-1].crop(middle)
    for picture in (last, end):
        assert min(range(10), key=lambda n: difference(played[n], picture)) == 16 % 10


@pytest.mark.usefixtures("no_fonts")
async def test_no_clip_is_stored_with_boxes_for_letters_that_had_a_font_when_it_was_planned(tmp_path: Path) -> None:
    with pytest.raises(Terminal, match="路") as refused:
        await drawn(request(action="路灯", lettering="2"), tmp_path / "clip.mp4")
    assert refused.value.hint == "pip install 'storyreel[fonts]'"
    assert not (tmp_path / "clip.mp4").exists()
    # Those that were known to be missing are drawn as boxes.
    assert (await drawn(request(action="路灯", lettering="2", missing=("灯", "路")), tmp_path / "boxes.mp4")).exists()


@pytest.mark.usefixtures("packaged_fonts")
async def test_words_of_every_script_are_in_the_frames(tmp_path: Path) -> None:
    found = {}
    for script, line in LINES.items():
        clip = await drawn(
            request(ratio="9:16", frames=2, action=line, dialogue=((line, line),)), tmp_path / "clip.mp4"
        )
        found[script] = frames_of(clip)[1].tobytes()
    assert len(set(found.values())) == len(LINES)
