"""Whatever a paid clip is like, the film gets as many frames as were planned, in the order and colours of the clip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import FrameRate
from storyreel.tasks.inspection.inspect import Needed, Wanted, inspect_clip
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip, needs_no_encoding
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import first_frame, strip, write_last_frame
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.probe import probe
from storyreel.tasks.media.shape.orientation import turned_image
from tests.tasks.generated_clips import TINY, make_clip
from tests.tasks.odd_clips import FRAMES, WHOLE, broken_end, broken_frames, broken_start, cut_short, oriented, plain
from tests.tasks.providers.hosted_services import SERVICES, request

ORDERED = request(SERVICES["dashscope"], seconds=Fraction(1), width=128, height=72)
MORE = EditPoints(0, FRAMES, join_in=4)
"""All frames, to be encoded."""


async def _conform(clip: Path, edit: EditPoints = MORE, house: HouseFormat = TINY) -> HouseClip:
    how = Conforming(edit, house, accept=await house_signature(house))
    return await conform_clip(clip, how, into=clip.with_name("house"))


async def _found(clip: Path) -> list[str]:
    wanted = Wanted(needed=Needed(frames=FRAMES, rate=TINY.rate))
    return [finding.what for finding in (await inspect_clip(clip, ORDERED, wanted)).findings]


def _numbers(clip: Path) -> list[int]:
    """The frames of `odd_clips` that a clip shows, by their brightness."""
    with av.open(str(clip)) as file:
        shown = sorted((frame.pts, bytes(frame.planes[0])[640]) for frame in file.decode(video=0))
    return [round((luma - 20) / 6) for _, luma in shown]


FOUND = {
    "times that go back": ["timing"],
    "times with a jump": ["timing"],
    "without times": ["timing"],
    "interlaced": ["colour"],
    "transparent": ["colour"],
    "unknown sound": ["damage"],
    "broken sound": ["damage"],
}
"""Findings in clips that have all their frames; the others have none."""


@pytest.mark.parametrize("kind", WHOLE)
async def test_a_clip_of_any_kind_is_shown_frame_by_frame(tmp_path: Path, kind: str) -> None:
    clip = WHOLE[kind](tmp_path / "a.mp4")
    house = await _conform(clip)
    assert house.frames == FRAMES
    assert house.signature == await house_signature(TINY)
    if kind == "gif":  # At another rate, and with few colours.
        assert len(_numbers(house.picture)) == FRAMES
    else:
        assert _numbers(house.picture) == list(range(FRAMES))
    write_last_frame(clip, tmp_path / "last.png")
    with Image.open(tmp_path / "last.png") as last:
        assert abs(last.convert("L").getpixel((10, 10)) - (20 + 6 * 23 - 16) * 255 / 219) < 14  # type: ignore[operator]
    assert strip(clip, 64).width > 64
    assert await _found(clip) == FOUND.get(kind, [])


@pytest.mark.parametrize(
    ("make", "numbers"),
    [(broken_start, [3, 3, 3, *range(3, 24)]), (broken_end, [*range(18), *[17] * 6])],
)
async def test_where_frames_are_lost_the_nearest_is_held(
    tmp_path: Path, make: Callable[[Path], Path], numbers: list[int]
) -> None:
    clip = make(tmp_path / "a.mp4")
    assert _numbers((await _conform(clip)).picture) == numbers
    assert await _found(clip) == ["damage"]
    write_last_frame(clip, tmp_path / "last.png")
    with Image.open(tmp_path / "last.png") as last:
        assert abs(last.convert("L").getpixel((10, 10)) - (20 + 6 * numbers[-1] - 16) * 255 / 219) < 4  # type: ignore[operator]


async def test_of_a_file_that_is_cut_short_all_that_is_there_is_shown(tmp_path: Path) -> None:
    clip = cut_short(tmp_path / "a.mp4")
    shown = _numbers((await _conform(clip)).picture)
    last = max(shown)
    assert 4 < last < 20
    assert shown == [*range(last), *[last] * (FRAMES - last)]
    assert await _found(clip) == ["damage", "frames"]


async def test_a_few_broken_frames_leave_all_others_where_they_are(tmp_path: Path) -> None:
    clip = broken_frames(tmp_path / "a.mp4")
    shown = _numbers((await _conform(clip)).picture)
    assert (shown[:12], shown[18:]) == (list(range(12)), list(range(18, 24)))
    assert await _found(clip) == ["damage"]


async def test_a_clip_of_which_no_frame_can_be_decoded_is_refused(tmp_path: Path) -> None:
    clip = plain(tmp_path / "a.mp4", options=("-g", "6", "-bf", "0"))
    content = bytearray(clip.read_bytes())
    with av.open(str(clip)) as file:
        for packet in file.demux(video=0):
            if packet.size and packet.pos is not None:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    clip.write_bytes(bytes(content))
    with pytest.raises(MediaError, match="no picture"):
        await _conform(clip)


# As a viewer sees it


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip in which each corner differs from the others."""
    return make_clip(
        tmp_path_factory.mktemp("stored") / "a.mp4", frames=4, size="128x72", picture="color=black", sound=None,
        filters="drawbox=w=64:h=36:color=white:t=fill,drawbox=x=64:w=64:h=36:color=gray:t=fill",
        options=("-crf", "4"),
    )  # fmt: skip


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of the channels, 0 to 255."""
    assert one.size == other.size
    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(means) / len(means)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_turned_or_mirrored_clip_is_as_its_viewer_sees_it(
    tmp_path: Path, stored: Path, orientation: int
) -> None:
    clip = oriented(stored, tmp_path / "a.mp4", orientation)
    seen = turned_image(first_frame(stored), orientation)
    house = HouseFormat(width=seen.width, height=seen.height, rate=FrameRate(Fraction(24)))
    facts = probe(clip)
    assert facts.orientation == orientation
    assert facts.shown_size == seen.size
    assert needs_no_encoding(facts, EditPoints(0, 4), house) is False  # Its colours are not those of HD either.
    assert _difference(first_frame(clip), seen) < 2
    assert _difference(first_frame((await _conform(clip, EditPoints(0, 4), house)).picture), seen) < 4
    write_last_frame(clip, tmp_path / "last.png")
    with Image.open(tmp_path / "last.png") as last:
        assert _difference(last, seen) < 2


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_or_mirrored_clip_is_never_copied(tmp_path: Path, orientation: int) -> None:
    """Beside others in one track it would be shown like them. The square clip fits the house in all else."""
    flat = make_clip(tmp_path / "flat.mp4", frames=4, size="128x128", sound=None,
                     filters="setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709")  # fmt: skip
    house = HouseFormat(width=128, height=128, rate=FrameRate(Fraction(24)))
    assert needs_no_encoding(probe(flat), EditPoints(0, 4), house)
    turned = probe(oriented(flat, tmp_path / "turned.mp4", orientation))
    assert not needs_no_encoding(turned, EditPoints(0, 4), house)
    assert turned.signature != probe(flat).signature


# Colours

_IN_709 = "eq=saturation=0.5,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p," \
          "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"  # fmt: skip
_X265 = ("-c:v", "libx265", "-x265-params", "log-level=error:lossless=1", "-pix_fmt", "yuv420p10le")
_X264 = ("-crf", "1")

COLOURS: dict[str, tuple[str, tuple[str, ...]]] = {
    "HLG": ("zscale=t=arib-std-b67:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le", _X265),
    "PQ": ("zscale=t=smpte2084:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le", _X265),
    "PQ, full range": ("zscale=t=smpte2084:p=bt2020:m=bt2020nc:r=pc:npl=203,format=yuv420p10le", _X265),
    "HLG, not wide": ("zscale=t=arib-std-b67:npl=203,format=yuv420p10le", _X265),
    "BT.2020": ("zscale=p=bt2020:m=bt2020nc,format=yuv420p10le", _X265),
    "Display P3": ("zscale=p=smpte432,format=yuv420p", _X264),
    "DCI-P3": ("zscale=p=smpte431,format=yuv420p", _X264),
    "625 lines": ("zscale=p=bt470bg:m=bt470bg,format=yuv420p", _X264),
    "525 lines": ("zscale=p=smpte170m:m=smpte170m:t=601,format=yuv420p", _X264),
    "601, full range": ("zscale=m=smpte170m:r=pc,format=yuv420p", _X264),
    "linear light": ("zscale=t=linear,format=yuv420p10le", _X265),
    "RGB": ("zscale=m=gbr:r=pc,format=gbrp", ("-c:v", "libx264rgb", "-pix_fmt", "bgr24", "-crf", "1")),
    "YCgCo": ("zscale=m=ycgco,format=yuv444p", ("-pix_fmt", "yuv444p", "-crf", "1")),
}  # fmt: skip
"""The same colours, written in other ways: filters from BT.709, and the encoder."""


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Image.Image:
    """The colours as they are to be seen."""
    return first_frame(_bars(tmp_path_factory.mktemp("bars") / "bars.mp4", "null", _X264))


def _bars(into: Path, filters: str, options: tuple[str, ...], size: str = "320x180") -> Path:
    return make_clip(into, frames=2, size=size, picture="smptebars", sound=None, filters=f"{_IN_709},{filters}",
                     options=options)  # fmt: skip


@pytest.mark.parametrize("kind", COLOURS)
async def test_foreign_colours_are_converted_not_relabelled(tmp_path: Path, bars: Image.Image, kind: str) -> None:
    filters, options = COLOURS[kind]
    clip = _bars(tmp_path / "a.mkv", filters, options)
    house = HouseFormat(width=320, height=180, rate=FrameRate(Fraction(24)))
    assert not house.matches(probe(clip))
    made = first_frame((await _conform(clip, EditPoints(0, 2), house)).picture)
    assert _difference(made, bars) < 4
    assert _difference(first_frame(clip), bars) < 4
    write_last_frame(clip, tmp_path / "last.png")
    with Image.open(tmp_path / "last.png") as last:
        assert _difference(last, bars) < 4


@pytest.mark.parametrize(("transfer", "codes"), [("smpte2084", (391, 573)), ("arib-std-b67", (397, 721))])
async def test_grey_and_white_of_hdr_are_as_bright_as_those_of_sdr(
    tmp_path: Path, transfer: str, codes: tuple[int, int]
) -> None:
    """ITU-R BT.2408, 2.2: an 18 % grey card has 38 % of the signal of PQ and of HLG, reference white 58 and
    75 %. In SDR they have 41 and 100 %, of which some is left to what is brighter."""
    levels = f"geq=lum='if(lt(X,160),{codes[0]},{codes[1]})':cb=512:cr=512"
    clip = make_clip(
        tmp_path / "a.mkv", frames=2, size="320x180", picture="color=black", sound=None,
        filters=f"format=yuv420p10le,{levels},setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:"
                f"color_trc={transfer}", options=_X265,
    )  # fmt: skip
    house = HouseFormat(width=320, height=180, rate=FrameRate(Fraction(24)))
    shown = first_frame((await _conform(clip, EditPoints(0, 2), house)).picture).convert("L")
    grey, white = (shown.getpixel((x, 90)) for x in (80, 240))
    assert abs(grey / 255 - 0.41) < 0.03 and 0.9 < white / 255 < 0.97, (grey, white)  # type: ignore[operator]


async def test_lights_brighter_than_white_keep_their_differences(tmp_path: Path) -> None:
    """Five steps of light, 100 to 800 cd/m²: each is brighter than the one before."""
    steps = "geq=lum='64+876*(0.5081+0.055*floor(X/64))':cb=512:cr=512"
    clip = make_clip(
        tmp_path / "a.mkv", frames=2, size="320x180", picture="color=black", sound=None,
        filters=f"format=yuv420p10le,{steps},setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:"
                "color_trc=smpte2084", options=_X265,
    )  # fmt: skip
    grey = first_frame(clip).convert("L")
    shown = [grey.getpixel((32 + 64 * n, 90)) for n in range(5)]
    assert shown == sorted(set(shown)), shown  # type: ignore[type-var]
