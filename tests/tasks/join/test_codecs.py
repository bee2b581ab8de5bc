"""A film in each codec is exact to the frame, whole for every decoder, and as near to its takes as one encode of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import ffmpeg as graph
import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.specs.cut import EditPoints, edit_points
from storyreel.specs.language.finishing.codecs import Codec
from storyreel.tasks.join.conform import Conforming, conform_clip, conform_key
from storyreel.tasks.join.mux import Chapter
from storyreel.tasks.join.overlay import lay_over
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound.clips import ClipsSound
from storyreel.tasks.join.sound.film import encode_film_sound
from storyreel.tasks.join.sound.layers import FilmSound, Master, SoundLayer
from storyreel.tasks.join.text_tracks import TextTrack, TimedLines
from storyreel.tasks.join.verify_master import verify_master
from storyreel.tasks.media import encoders, house_format
from storyreel.tasks.media.binary import Binary, find_ffmpeg
from storyreel.tasks.media.colour import Pixels
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.probe import joints
from storyreel.tasks.media.shape.framing import Framing
from tests.tasks.generated_clips import TINY, ffmpeg, make_clip, samples
from tests.tasks.join.test_assemble import Film, cut_of
from tests.tasks.join.test_overlay import _Lettered, _lie_exactly, _words

CODECS: dict[Codec, tuple[str, str, Pixels]] = {
    "h264": ("h264", "avc1", "yuv420p"),
    "h265": ("hevc", "hvc1", "yuv420p10le"),
    "av1": ("av1", "av01", "yuv420p10le"),
    "prores-422-hq": ("prores", "apch", "yuv422p10le"),
    "dnxhr-hq": ("dnxhd", "AVdh", "yuv422p"),
}
_OTHERS = [codec for codec in CODECS if codec != "h264"]
LENGTHS, DISSOLVES = [14, 20, 1, 8], {1: 6, 3: 1}


def _house(codec: Codec) -> HouseFormat:
    width, height = (256, 144) if codec == "dnxhr-hq" else (TINY.width, TINY.height)
    return HouseFormat(width=width, height=height, rate=TINY.rate, codec=codec)


def _frames(film: Path) -> list[Image.Image]:
    """All frames, as PyAV decodes them."""
    with av.open(str(film)) as file:
        return [frame.to_image() for frame in file.decode(video=0)]


def _wanted(sources: Sequence[Path]) -> list[Image.Image]:
    """The frames of the film, made of those of its takes."""
    shown: dict[int, Image.Image] = {}
    for number, event in enumerate(cut_of(LENGTHS, DISSOLVES).events):
        take = _frames(sources[number % 2])
        edit = edit_points(event, len(take), "first")
        for at in range(edit.total):
            frame = take[edit.first + min(max(0, at - edit.hold_head), edit.frames - 1)]
            before = shown.get(place := event.start - event.head + at)
            part = (at + 1) / (event.dissolve_in + 1)
            shown[place] = Image.blend(before, frame, part) if before else frame
    return [shown[place] for place in range(len(shown))]


def _nearness(shown: Sequence[Image.Image], wanted: Sequence[Image.Image]) -> list[float]:
    """dB of each frame (PSNR), at half their size, as colours of 4:2:0 are."""
    differences = (ImageChops.difference(one.reduce(2), two.reduce(2)) for one, two in zip(shown, wanted, strict=True))
    errors = (sum(value**2 for value in ImageStat.Stat(each).rms) / 3 for each in differences)
    return [10 * math.log10(255**2 / max(error, 0.01)) for error in errors]


def _in_one_piece(film: Sequence[Image.Image], house: HouseFormat, into: Path) -> Path:
    """The same frames, encoded at once."""
    raw = into.with_suffix(".rgb")
    raw.write_bytes(b"".join(frame.tobytes() for frame in film))
    picture = graph.input(str(raw), f="rawvideo", pix_fmt="rgb24", s=f"{house.width}x{house.height}", r=24)
    picture = picture.filter("scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+full_chroma_int")
    output = graph.output(house.tagged(picture), str(into), **house.picture_options())
    graph.run(output.global_args("-v", "error"), cmd=str(find_ffmpeg().path), overwrite_output=True)
    return into


@pytest.mark.parametrize("codec", [pytest.param("h264", marks=pytest.mark.matrix), *_OTHERS])
async def test_pieces_join_to_a_film_that_is_as_good_as_one_encode(tmp_path: Path, codec: Codec) -> None:
    """With dissolves and shots of one frame; each frame is decoded by PyAV and by ffmpeg."""
    house = _house(codec)
    size = f"{house.width}x{house.height}"
    # Soft colours, as decoders differ in how they make 4:4:4 of them.
    tagged = "format=yuv444p,gblur=sigma=4:planes=6,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p," \
             "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"  # fmt: skip
    sources = [
        make_clip(tmp_path / f"{n}.mp4", frames=30, size=size, picture=picture, filters=tagged, options=("-crf", "2"))
        for n, picture in enumerate(("testsrc2", "testsrc"))
    ]
    film = Film(tmp_path / "made", cut_of(LENGTHS, DISSOLVES), lambda number: sources[number % 2])
    film.house = house
    lines = TextTrack("eng", "English", (TimedLines(5, 20, "Hello\nthere"),))
    chapters = [Chapter(0, 14, "one"), Chapter(14, 43, "two – Ä")]
    out = tmp_path / f"film{house.suffix}"
    made = await film.assembled(out, chapters=chapters, texts=[lines])
    assert {clip.signature for clip in await film.clips()} == {await house_signature(house)}
    assert (made.frames, made.samples) == (43, 86_000)
    name, tag, pixels = CODECS[codec]
    with av.open(str(out)) as file:
        picture, sound = file.streams.video[0], file.streams.audio[0]
        assert (picture.codec_context.codec.canonical_name, picture.codec_context.codec_tag) == (name, tag)
        assert (picture.pix_fmt, picture.average_rate, picture.codec_context.color_trc) == (pixels, 24, 1)
        assert sound.codec_context.name == ("aac" if house.suffix == ".mp4" else "pcm_s24le")
        assert [each["metadata"]["title"] for each in file.chapters()] == ["one", "two – Ä"]
        assert file.metadata["title"] == "Film" and file.streams.subtitles[0].language == "eng"
        counted = [(each.metadata["timecode"], each.duration * (each.time_base or 0)) for each in file.streams.data
                   if "timecode" in each.metadata]  # fmt: skip
        assert counted == ([("00:00:00:00", Fraction(43, 24))] if house.suffix == ".mov" else [])
    ffmpeg("-i", out, "-map", "0:s", tmp_path / "lines.srt")
    assert "Hello\nthere" in (tmp_path / "lines.srt").read_text()
    wanted, shown = _wanted(sources), _frames(out)
    assert len(shown) == 43
    one_encode = _nearness(_frames(_in_one_piece(wanted, house, tmp_path / f"one{house.suffix}")), wanted)
    joined = _nearness(shown, wanted)
    assert min(mine - other for mine, other in zip(joined, one_encode, strict=True)) > -6
    assert sum(joined) > sum(one_encode) - 0.5 * 43, "a shot is not that one, or not as it was"
    ffmpeg("-xerror", "-err_detect", "explode", "-i", out, "-map", "0:v", "-pix_fmt", "rgb24", tmp_path / "all.rgb",
           "-f", "null", "-")  # fmt: skip


@pytest.mark.parametrize("codec", _OTHERS)
async def test_a_clip_has_the_same_bytes_each_time_and_keyframes_where_it_is_cut(tmp_path: Path, codec: Codec) -> None:
    house = _house(codec)
    source = make_clip(tmp_path / "a.mp4", frames=16, size=f"{house.width}x{house.height}")
    how = Conforming(EditPoints(0, 16, join_in=5, join_out=4), house, keep_sound=False)
    one, two = [await conform_clip(source, how, into=tmp_path / name) for name in "ab"]
    assert one.picture_digest == two.picture_digest and not one.untouched
    assert {0, 5, 12} <= set(joints(one.picture).keyframes)


async def test_words_lie_on_their_frames_where_each_frame_is_encoded_for_itself(tmp_path: Path) -> None:
    """In pieces as long as they are seen, not one for each frame."""
    words = [(20, 30, (2, 3)), (36, 50, (0, 0)), (40, 44, (0, 0))]
    film = _Lettered(tmp_path, (30, 24), 4)
    film.film.house = _house("prores-422-hq")
    await _lie_exactly(film, words[:2])
    found = await film.stretches([_words(*each) for each in words])
    assert [(each.at, each.last - each.first, len(each.overlays)) for each in found] == [
        (20, 8, 1), (28, 2, 1), (36, 4, 1), (40, 4, 2), (44, 6, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("codec", ["h265", "av1"])
async def test_pieces_of_every_chain_of_filters_fit_together(tmp_path: Path, codec: Codec) -> None:
    """Headers of these codecs say where samples of colour lie, which some filters name and others do not."""
    source = make_clip(tmp_path / "a.mp4", frames=8, size="64x64", sound=None)
    film = _Lettered(tmp_path, (4, 4), 0)
    film.film.house = house = _house(codec)
    (lettered,) = (await film.pieces([_words(1, 3)])).values()
    how = Conforming(EditPoints(0, 4), house, framing=Framing(how="blur"), grading=Grading(saturation=0.5))
    framed = await conform_clip(source, how, into=tmp_path / "framed")
    assert {lettered.signature, framed.signature} == {await house_signature(house)}


@pytest.mark.matrix
@pytest.mark.parametrize("rate", ["24", "59.94"])
@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1", "libaom-av1"])
async def test_words_lie_on_their_frames_in_other_codecs(
    tmp_path: Path, encoder: str, rate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second group of pictures, over a dissolve, and from one group into the next."""
    other = replace(find_ffmpeg(), encoders=frozenset({encoder}))
    monkeypatch.setattr(house_format, "find_ffmpeg", lambda: other)
    film = _Lettered(tmp_path, (300, 40), 12, rate)
    film.film.house = film.film.house.model_copy(update={"codec": "h265" if encoder == "libx265" else "av1"})
    assert film.film.house.encoder_used == encoder
    await _lie_exactly(film, [(246, 262, (2, 2)), (270, 280, (0, 3)), (290, 318, (5, 9))])


def _far_from_ramp(picture: Path) -> float:
    """The mean difference of the first lines of the last frame from the ramp, in steps of 10 bits."""
    with av.open(str(picture)) as file:
        *_, frame = file.decode(video=0)
    plane = frame.planes[0]
    rows, width = memoryview(bytes(plane)).cast("H"), plane.line_size // 2
    return sum(abs(rows[y * width + x] - _ramp(x, y)) for y in range(16) for x in range(frame.width)) / 16 / frame.width


def _ramp(x: int, y: int) -> int:
    return 400 + (x + y) // 8


async def test_ten_bits_go_through_grade_fade_dissolve_and_words(tmp_path: Path) -> None:
    """Through 8 bits, the mean difference would be more than one step."""
    house = _house("prores-422-hq")
    ramp = "geq=lum='400+floor((X+Y)/8)':cb=512:cr=512,format=yuv420p10le," \
           "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"  # fmt: skip
    source = make_clip(tmp_path / "a.mov", frames=12, picture="color=black", sound=None,
                       filters=f"format=yuv420p10le,{ramp}",
                       options=("-pix_fmt", "yuv420p10le", "-qp", "0"))  # fmt: skip
    film = _Lettered(tmp_path, (8, 8), 4)
    film.film = Film(tmp_path, cut_of([8, 8], {1: 4}), lambda _: source, keep_sound=False)
    film.film.house = house
    how = Conforming(EditPoints(0, 8, fade_in=2), house, grading=Grading(saturation=0.5))
    graded = await conform_clip(source, how, into=tmp_path / "graded")
    (dissolve,) = (await film.film.dissolves(await film.film.clips())).values()
    lettered = await lay_over((await film.stretches([_words(7, 9)]))[0], house, tmp_path / "words")
    assert _far_from_ramp(source) == 0
    found = [_far_from_ramp(piece.picture) for piece in (graded, dissolve, lettered)]
    assert max(found) < 0.5


@pytest.mark.parametrize("last", [13, pytest.param(270, marks=pytest.mark.matrix)])
async def test_sound_in_24_bits_is_that_of_the_clips_to_the_sample(tmp_path: Path, last: int) -> None:
    """Over a crossfade, in one piece or more."""
    source = make_clip(tmp_path / "a.mp4", frames=30, size="256x144")
    film = Film(tmp_path, cut_of([12, last], {1: 4}), lambda _: source)
    film.house = _house("dnxhr-hq")
    made = await film.assembled(tmp_path / "film.mov")
    joined = ClipsSound(film.cut, [clip.raw_sound for clip in await film.clips()])
    raw = memoryview(joined.read(0, joined.length)).cast("h")
    ffmpeg("-i", made.path, "-map", "0:a", "-f", "s32le", tmp_path / "heard")
    heard = memoryview((tmp_path / "heard").read_bytes()).cast("i")
    assert made.samples == joined.length == (12 + last) * 2000 and any(raw)
    assert heard.tolist() == [value << 16 for value in raw]


async def test_sound_in_24_bits_has_the_level_that_is_asked_for(tmp_path: Path) -> None:
    """With what AAC would leave out; quiet sound keeps more than 16 bits."""
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=a=0.05:r=48000:d=5:seed=1", tmp_path / "noise.wav")
    noise = FilmSound(
        layers=(SoundLayer(file=tmp_path / "noise.wav", gain=-20, start=0, end=120),), master=Master(-14, -1)
    )
    pieces, level = await encode_film_sound(cut_of([120]), [None], noise, HouseCache(tmp_path), codec="pcm_s24le")
    (piece,) = pieces
    told = tmp_path / "told"
    ffmpeg("-f", "s24le", "-ar", "48000", "-ac", "2", "-i", piece.sound, "-af",
           f"ebur128=metadata=1:peak=true,ametadata=print:file={told}", "-f", "null", "-")  # fmt: skip
    said = [line.partition("=") for line in told.read_text().splitlines()]
    loudness = [float(value) for name, _, value in said if name == "lavfi.r128.I"][-1]
    peak = 20 * math.log10(max(float(value) for name, _, value in said if name.startswith("lavfi.r128.true_peaks_ch")))
    assert level and level.loudness == pytest.approx(loudness, abs=0.2) and loudness == pytest.approx(-14, abs=0.3)
    assert peak <= -1
    low = piece.sound.read_bytes()[::3]
    assert len(set(low)) > 200


def test_a_film_of_today_keeps_its_key_and_each_encoding_has_its_own() -> None:
    assert TINY.as_json() == {"width": 128, "height": 72, "rate": "24", "encoder": "libx264"}
    changes: list[dict[str, object]] = [
        {}, {"quality": "standard"}, {"quality": "draft"}, {"bit_rate": 8_000_000}, {"bit_rate": 4_000_000},
        *({"codec": codec} for codec in CODECS if codec != "h264"), {"codec": "h265", "quality": "draft"},
        {"codec": "av1", "bit_rate": 4_000_000},
    ]  # fmt: skip
    houses = [TINY.model_copy(update=change) for change in changes]
    keys = {conform_key("a" * 64, Conforming(EditPoints(0, 24), house), "9.0.2") for house in houses}
    assert len(keys) == len({str(house.as_json()) for house in houses}) == len(changes)


def test_encoders_of_hardware_are_for_films_alone() -> None:
    card = TINY.model_copy(update={"encoder": "h264_nvenc"})
    assert card.encoder_used == "h264_nvenc"
    for change in ({"codec": "h265"}, {"quality": "draft"}, {"bit_rate": 1_000_000}):
        other = card.model_copy(update=change)
        assert other.encoder_used == ("libx265" if "codec" in change else "libx264")
        assert other.picture_options() == TINY.model_copy(update=change).picture_options()


def test_an_ffmpeg_without_an_encoder_is_told_with_the_codecs_that_it_has() -> None:
    old = Binary(Path("/opt/ffmpeg"), "5.1", frozenset({"libx264", "libaom-av1", "dnxhd"}))
    assert encoders.encoder_of("av1", old) == "libaom-av1"
    assert encoders.encoder_of("av1", find_ffmpeg()) == "libsvtav1"
    with pytest.raises(MediaError, match="/opt/ffmpeg cannot encode h265: it has no libx265") as told:
        encoders.encoder_of("h265", old)
    assert "`h264`, `av1` or `dnxhr-hq`" in told.value.hint


async def test_a_take_that_fits_is_encoded_where_the_rate_is_another(tmp_path: Path) -> None:
    tagged = "format=yuv420p,setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    source = make_clip(tmp_path / "a.mp4", frames=24, filters=f"scale=out_color_matrix=bt709:out_range=tv,{tagged}")
    for change, untouched in (({}, True), ({"bit_rate": 40_000}, False), ({"quality": "draft"}, False)):
        how = Conforming(EditPoints(0, 24), TINY.model_copy(update=change), keep_sound=False)
        made = await conform_clip(source, how, into=tmp_path / str(change))
        assert made.untouched is untouched


async def test_a_film_of_another_codec_or_size_is_not_what_was_planned(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=30)
    made = await Film(tmp_path, cut_of([12]), lambda _: source).assembled()
    assert await asyncio.to_thread(verify_master, made.path, 12, TINY) == len(samples(made.path))
    for change, words in (
        ({"codec": "h265"}, "its picture is h264 in yuv420p instead of hevc in yuv420p10le"),
        ({"width": 256}, "its picture has 128×72 pixels instead of 256×72"),
    ):
        with pytest.raises(MediaError, match=words):
            await asyncio.to_thread(verify_master, made.path, 12, TINY.model_copy(update=change))
