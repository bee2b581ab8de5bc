"""Faults that a viewer notices at once are found; what resembles them is not."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageOps

from storyreel.specs.storyboard import Mode
from storyreel.tasks.inspection.inspect import Inspection, Wanted, inspect_clip
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.request import Request
from tests.tasks.generated_clips import ffmpeg, make_clip
from tests.tasks.generated_scenes import FPS, SEEN, film, recoloured, scene
from tests.tasks.providers.hosted_services import SERVICES, request

FOREST, SHORE = scene(1), scene(2)
DRIFT = "crop=320:180:'100+n':'100+n/2'"
"""A camera that moves a little, as most do."""
WHIP = "crop=320:180:'clip((n-20)*60,0,640)':180"
GRAIN = "noise=alls=12:allf=t"


def ordered(**changes: Any) -> Request:
    """A request that fits the clips here: two and a half seconds, in their size."""
    small = {"seconds": Fraction(5, 2), "width": SEEN[0], "height": SEEN[1]}
    return request(SERVICES["dashscope"], **{**small, **changes})


def inspected(clip: Path, of: Request | None = None, **how: Any) -> Inspection:
    return asyncio.run(inspect_clip(clip, of or ordered(), Wanted(**how)))


def found(clip: Path, of: Request | None = None, **how: Any) -> list[str]:
    return [finding.detail for finding in inspected(clip, of, **how).findings]


def kinds(clip: Path, of: Request | None = None, **how: Any) -> list[str]:
    return [finding.what for finding in inspected(clip, of, **how).findings]


# Black


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (12, 23, "black from 0.5 s to 1.0 s"),
        (0, 17, "black from 0.0 s to 0.8 s"),
        (36, 59, "black from 1.5 s to 2.5 s"),
        (0, 59, "black all through"),
    ],
)
def test_black_is_found_with_its_time(tmp_path: Path, first: int, last: int, words: str) -> None:
    dark = f"drawbox=c=black:t=fill:enable='between(n,{first},{last})'"
    assert words in found(film(tmp_path / "clip.mp4", FOREST, camera=DRIFT, after=dark))


def test_a_moment_of_black_is_none(tmp_path: Path) -> None:
    dark = "drawbox=c=black:t=fill:enable='between(n,20,30)'"
    assert "black" not in kinds(film(tmp_path / "clip.mp4", FOREST, camera=DRIFT, after=dark))


def test_a_night_with_a_lamp_in_it_is_not_black(tmp_path: Path) -> None:
    night = ImageEnhance.Brightness(FOREST).enhance(0.06)
    night.paste((240, 200, 120), (300, 200, 316, 216))
    assert found(film(tmp_path / "clip.mp4", night, camera=DRIFT)) == []


# Frozen


@pytest.mark.parametrize("options", [("-crf", "16"), ("-crf", "32"), ("-preset", "ultrafast", "-crf", "28")], ids=str)
def test_a_picture_that_stands_still_is_frozen_however_it_was_encoded(tmp_path: Path, options: tuple[str, ...]) -> None:
    (words,) = found(film(tmp_path / "clip.mp4", FOREST, options=options))
    assert words.startswith("nothing moves") and words.endswith(("all through", "to 2.5 s"))


def test_a_freeze_is_found_with_its_time(tmp_path: Path) -> None:
    stops = "crop=320:180:'100+min(n,20)*3':180"
    (words,) = found(film(tmp_path / "clip.mp4", FOREST, camera=stops))
    assert words == "nothing moves from 0.8 s to 2.5 s"


@pytest.mark.parametrize(
    "life",
    [
        GRAIN,
        "drawbox=x=40:y=40:w=6:h=6:c=white:t=fill:enable='lt(mod(n,24),12)'",
        "zoompan=z='1+0.02*on/60':x='(iw-iw/zoom)/2':y='(ih-ih/zoom)/2':d=1:s=320x180:fps=24",
        "eq=brightness='0.05*sin(n/9)':eval=frame",
    ],
    ids=["grain", "a light that blinks", "a camera that creeps", "a flicker"],
)
def test_a_camera_that_stands_still_still_films_life(tmp_path: Path, life: str) -> None:
    assert found(film(tmp_path / "clip.mp4", FOREST, after=life)) == []


def test_a_pause_of_a_second_is_no_freeze(tmp_path: Path) -> None:
    pauses = "crop=320:180:'100+if(lt(n,18),n,max(18,n-24))*3':180"
    assert found(film(tmp_path / "clip.mp4", FOREST, camera=pauses)) == []


# Cuts


@pytest.mark.parametrize(
    "camera", [DRIFT, f"{DRIFT},{GRAIN}", "crop=320:180:'n*4':180"], ids=["drifting", "with grain", "panning"]
)
def test_a_cut_is_found_with_its_time(tmp_path: Path, camera: str) -> None:
    assert found(film(tmp_path / "clip.mp4", FOREST, SHORE, camera=camera)) == ["cuts to another picture at 1.2 s"]


def test_a_jump_right_after_the_first_frame_is_a_cut(tmp_path: Path) -> None:
    jumps = "crop=320:180:'if(lt(n,1),600,n)':'if(lt(n,1),300,0)'"
    assert found(film(tmp_path / "clip.mp4", FOREST, camera=jumps)) == ["cuts to another picture at 0.0 s"]


LIVELY = {
    "a fast pan": {"camera": "crop=320:180:'n*10':180"},
    "a whip pan": {"camera": WHIP, "after": GRAIN},
    "a shaking hand": {"camera": "crop=320:180:'320+15*sin(n*2.1)':'180+12*cos(n*1.7)'"},
    "a fade from and to black": {"camera": DRIFT, "after": "fade=in:0:10,fade=out:50:10"},
    "a fade from white": {"camera": DRIFT, "after": "fade=in:0:10:color=white"},
    "a flash of white": {"camera": DRIFT, "after": "drawbox=c=white:t=fill:enable='between(n,30,31)'"},
    "somewhere else for two frames": {"camera": "crop=320:180:'if(between(n,30,31),600,100+n)':180"},
    "lightning": {"camera": DRIFT, "after": "eq=brightness='if(between(n,30,32)+between(n,36,37),0.4,0)':eval=frame"},
    "a lamp that is switched on": {"camera": DRIFT, "after": "eq=brightness='if(lt(n,30),-0.3,0)':eval=frame"},
    "noise alone": {"after": "geq=lum='random(1)*255':cb=128:cr=128"},
    "frames shown twice": {"camera": "crop=320:180:'floor(n/2)*8':180"},
}


@pytest.mark.parametrize("kind", LIVELY)
def test_fast_movement_is_no_cut(tmp_path: Path, kind: str) -> None:
    assert found(film(tmp_path / "clip.mp4", FOREST, **LIVELY[kind])) == []  # type: ignore[arg-type]


def test_a_dissolve_is_no_cut(tmp_path: Path) -> None:
    before = film(tmp_path / "before.mp4", FOREST, camera=DRIFT, frames=36)
    after = film(tmp_path / "after.mp4", SHORE, camera=DRIFT, frames=36)
    ffmpeg("-i", before, "-i", after, "-filter_complex", "xfade=duration=0.5:offset=1", "-c:v", "libx264", "-preset",
           "veryfast", tmp_path / "clip.mp4")  # fmt: skip
    assert found(tmp_path / "clip.mp4") == []


# Frames and size


@pytest.mark.parametrize(
    ("frames", "fps", "seconds", "words"),
    [
        (120, "24", 5, []),
        (121, "24", 5, []),
        (117, "24", 5, []),
        (81, "16", 5, []),
        (149, "30", 5, []),
        (150, "30000/1001", 5, []),
        (116, "24", 5, ["116 of 120 frames, 4.8 s of 5.0 s"]),
        (150, "30", 10, ["150 of 300 frames, 5.0 s of 10.0 s"]),
        (1, "24", 5, ["1 of 120 frames, 0.0 s of 5.0 s"]),
    ],
)
def test_a_clip_that_is_shorter_than_sold_is_found(
    tmp_path: Path, frames: int, fps: str, seconds: int, words: list[str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=frames, fps=fps)
    assert found(clip, ordered(seconds=Fraction(seconds), width=128, height=72)) == words


def sizes(clip: Path, of: Request, picture: Image.Image | None = None) -> list[str]:
    if picture:
        picture.save(clip.with_suffix(".png"))
    seen = inspected(clip, of, first_frame=clip.with_suffix(".png") if picture else None)
    return [finding.detail for finding in seen.findings if finding.what == "size"]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("1280x720", []),
        ("1280x704", []),
        ("1264x720", []),
        ("854x480", ["854×480 instead of 1280×720"]),
        ("1920x1080", ["1920×1080 instead of 1280×720"]),
        ("720x1280", ["720×1280 instead of 1280×720"]),
        ("960x960", ["960×960 instead of 1280×720"]),
    ],
)
def test_another_size_than_ordered_is_found_but_for_a_few_pixels(tmp_path: Path, size: str, words: list[str]) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=1, size=size, sound=None)
    assert sizes(clip, ordered(width=1280, height=720)) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("1104x832", []),
        ("1280x720", []),
        ("1656x1248", ["1656×1248, not of the class of 1280×720"]),
        ("554x416", ["554×416, not of the class of 1280×720"]),
        ("720x1280", ["720×1280, neither 1280×720 nor of the first frame's shape"]),
    ],
)
def test_a_clip_may_take_the_shape_of_its_first_frame_but_no_other_class(
    tmp_path: Path, size: str, words: list[str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=1, size=size, sound=None)
    of = request(SERVICES["dashscope"], Mode.IMAGE)
    assert sizes(clip, of, scene(3, (800, 600))) == words


def test_with_a_remote_first_frame_only_the_area_is_checked(tmp_path: Path) -> None:
    of = request(SERVICES["dashscope"], Mode.IMAGE)
    upright = make_clip(tmp_path / "upright.mp4", frames=1, size="720x1280", sound=None)
    small = make_clip(tmp_path / "small.mp4", frames=1, size="480x854", sound=None)
    assert (sizes(upright, of), len(sizes(small, of))) == ([], 1)


def test_the_size_is_the_displayed_one(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size="180x320", sound=None)
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", tmp_path / "turned.mp4")
    seen = inspected(tmp_path / "turned.mp4", ordered(seconds=Fraction(1)))
    assert (seen.width, seen.height, seen.findings) == (320, 180, ())


# The first frame

SAME = {
    "as it is": lambda picture: picture,
    "cropped": lambda picture: ImageOps.fit(picture, (320, 180), bleed=0.04),
    "cropped on one side": lambda picture: picture.crop((40, 10, 920, 505)),
    "warmed and faded": lambda picture: ImageEnhance.Color(ImageEnhance.Contrast(picture).enhance(0.75)).enhance(0.8),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "stretched from a square": lambda picture: picture.resize((320, 180)),
    "cropped from a square": lambda picture: ImageOps.fit(picture, (320, 180)),
    "between bars": lambda picture: ImageOps.pad(picture, (320, 180)),
}


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("change", SAME)
def test_a_clip_begins_with_its_first_frame_however_the_service_fits_it(tmp_path: Path, change: str, seed: int) -> None:
    picture = scene(seed, (600, 600) if "square" in change or "bars" in change else (960, 540))
    picture.save(tmp_path / "given.png")
    clip = film(tmp_path / "clip.mp4", SAME[change](picture), camera="scale=320:180", frames=3, options=("-crf", "30"))
    assert "first frame" not in kinds(clip, first_frame=tmp_path / "given.png")


@pytest.mark.parametrize("seed", [6, 7, 8])
def test_a_clip_that_begins_with_another_picture_is_found(tmp_path: Path, seed: int) -> None:
    scene(seed).save(tmp_path / "given.png")
    clip = film(tmp_path / "clip.mp4", scene(seed + 10), camera="scale=320:180", frames=3)
    assert "begins with another picture than the first frame that was given" in found(
        clip, first_frame=tmp_path / "given.png"
    )


def test_a_clip_that_begins_in_other_colours_is_found(tmp_path: Path) -> None:
    meadow = ImageOps.colorize(SHORE.convert("L"), (0, 60, 20), (150, 240, 90))
    meadow.save(tmp_path / "given.png")
    clip = film(tmp_path / "clip.mp4", recoloured(meadow), camera="scale=320:180", frames=3)
    assert "begins in other colours than the first frame that was given" in found(
        clip, first_frame=tmp_path / "given.png"
    )


def test_a_plain_picture_is_like_another_of_its_colour_only(tmp_path: Path) -> None:
    Image.new("RGB", (320, 180), (40, 90, 60)).save(tmp_path / "given.png")
    like = film(tmp_path / "like.mp4", Image.new("RGB", (320, 180), (44, 92, 60)), camera="null", frames=3)
    unlike = film(tmp_path / "unlike.mp4", Image.new("RGB", (320, 180), (140, 40, 160)), camera="null", frames=3)
    assert "first frame" not in kinds(like, first_frame=tmp_path / "given.png")
    assert "first frame" in kinds(unlike, first_frame=tmp_path / "given.png")


def test_a_first_frame_that_is_not_a_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "given.png").write_text("busy")
    clip = make_clip(tmp_path / "clip.mp4")
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        inspected(clip, first_frame=tmp_path / "given.png")


# Sound


def heard(tmp_path: Path, track: str | None, **how: Any) -> Inspection:
    clip = make_clip(tmp_path / "clip.mov", sound=track, size="320x180", frames=60, options=("-c:a", "pcm_f32le"))
    return inspected(clip, **how)


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (None, ["there is no sound"]),
        ("anullsrc", ["the sound is silent all through"]),
        ("sine=frequency=440,volume=-75dB", ["the sound is silent all through"]),
        ("sine=frequency=440,volume=-30dB", []),
        ("aevalsrc='if(gt(t,2),0.1*sin(2764*t),0)'", []),
    ],
    ids=["no track", "digital silence", "hiss", "quiet", "late"],
)
def test_silence_is_found_where_sound_is_wanted(tmp_path: Path, sound: str | None, words: list[str]) -> None:
    assert [finding.detail for finding in heard(tmp_path, sound, sound=True).findings] == words
    assert not heard(tmp_path, sound).findings


def test_loudness_is_measured(tmp_path: Path) -> None:
    """A sine at 997 Hz and -23 dBFS in both channels is -23 LUFS (EBU Tech 3341, test 1)."""
    tone = f"{10 ** (-23 / 20):.6f}*sin(2*PI*997*t)"
    measured = heard(tmp_path, f"aevalsrc='{tone}|{tone}':s=48000")
    assert measured.loudness == pytest.approx(-23, abs=0.1)
    assert not measured.findings


def test_sound_that_is_far_too_loud_is_found(tmp_path: Path) -> None:
    (loud,) = heard(tmp_path, "aevalsrc='0.99*sgn(sin(2764*t))'").findings
    assert loud.what == "loudness" and loud.detail.endswith("LUFS")


def test_a_peak_that_every_player_clips_is_found(tmp_path: Path) -> None:
    tone = "if(between(t,1,1.03),1.5,0.02)*sin(2764*t)"
    (peak,) = heard(tmp_path, f"aevalsrc='{tone}|{tone}'").findings
    assert peak.detail == "too loud at its peaks: +3.5 dBTP"


def test_a_tenth_of_a_second_of_sound_is_too_little_to_tell_how_loud_it_is(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=3, sound="sine=frequency=440")
    measured = inspected(clip, sound=True)
    assert measured.loudness is None
    assert "silent" not in [finding.what for finding in measured.findings]


# All kinds of clips

KINDS = {
    "10 bit": {"options": ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le")},
    "full range": {"options": ("-pix_fmt", "yuvj420p")},
    "in mono": {"layout": "mono"},
    "of 5.1 channels": {"layout": "5.1"},
    "of uneven frames": {"filters": "select='not(eq(mod(n,9),3))'", "options": ("-fps_mode", "vfr")},
    "of an odd shape": {"size": "320x180", "options": ("-vf", "setsar=4/3,scale=240:180,setsar=4/3")},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_clip_of_any_kind_passes(tmp_path: Path, kind: str) -> None:
    settings: dict[str, Any] = {"size": "320x180", "frames": 60, "fps": str(FPS), **KINDS[kind]}
    measured = inspected(make_clip(tmp_path / "clip.mp4", **settings), sound=True)
    assert measured.findings == ()
    assert (measured.width, measured.height) == SEEN
    assert Inspection.model_validate(measured.model_dump(mode="json")) == measured


def test_a_file_that_is_not_a_clip_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("<html>busy</html>")
    with pytest.raises(MediaError, match="web page"):
        inspected(tmp_path / "clip.mp4")
