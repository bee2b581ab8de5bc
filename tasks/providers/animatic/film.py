"""The ffmpeg graph that turns a page into a clip: camera moves, text, timecode and sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import groupby
from math import ceil
from pathlib import Path

import ffmpeg
from av.video.frame import VideoFrame
from ffmpeg.nodes import FilterableStream, OutputStream
from PIL import Image

from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.media.decoder import opened, picture_of, sound_of
from storyreel.tasks.media.frames import displayed_image
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import Probe, decoded_frames, no_picture, open_clip, picture_stream
from storyreel.tasks.media.stills import cover
from storyreel.tasks.media.text.layout import Weight, shadowed
from storyreel.tasks.providers.animatic.canvas import Canvas
from storyreel.tasks.providers.animatic.captions import timecode
from storyreel.tasks.providers.animatic.dialogue import Cue
from storyreel.tasks.providers.animatic.guide_sound import Speech, faded, guide_tone
from storyreel.tasks.providers.animatic.page import Page
from storyreel.tasks.providers.animatic.panes import HEADROOM, Pane
from storyreel.tasks.providers.animatic.voice.dialogue import speak_dialogue
from storyreel.tasks.providers.animatic.window import shown, spans
from storyreel.tasks.providers.request import Board

_PARTS = 3
"""A shot with an end picture mixes into it in its second third, and shows it in its last third."""
_LONGEST_PART = Fraction(3, 2)
"""Most seconds of either."""

_OWN_SOUND = "-12dB"
"""Gain for the sound of a reference video."""

_TICKS = 240_000
"""Ticks per second of the container: samples and frames have whole numbers of them, unlike of the usual 1000."""

_MOST_REPEATS = 40
"""Most repetitions of a short video in one shot; each opens the file once more."""


def clip_of(page: Page, board: Board, house: HouseFormat, workshop: Path, out: Path) -> OutputStream:
    """The ffmpeg output that makes the clip. Its stills are drawn, and its lines spoken, into the folder `workshop`."""
    graph = _Graph(page, board, house, workshop)
    return ffmpeg.output(
        house.tagged(graph.picture()), _sound(page, board, workshop), str(out.absolute()),
        **house.drawn_options(), **{"c:a": "aac", "b:a": "128k", "aac_coder": "fast", "ar": SAMPLE_RATE},
        movie_timescale=_TICKS,
    )  # fmt: skip


def end_of(page: Page, board: Board) -> Image.Image | None:
    """The camera's picture at the end of the shot, without text; None if the page does not show the shot itself."""
    if page.end:
        return page.end
    if page.view is None:
        return None
    pane, size = page.view, page.view.camera.canvas
    if pane.picture and pane.picture.video:
        still = _frame_at(pane.picture.video, board.frames - 1, board.rate)
        return cover(still, size.width, size.height)
    return pane.seen(pane.camera.end)


@dataclass(frozen=True, slots=True)
class _Graph:
    page: Page
    board: Board
    house: HouseFormat
    workshop: Path

    def picture(self) -> FilterableStream:
        """All layers, the lowest first."""
        ground, *others = self.page.panes
        # Drawn on each other once, and not one after another over every frame.
        layer = reduce(Image.alpha_composite, self.page.layers)
        if not (ground.is_video or ground.camera.moves or others or self.page.end):
            # Nothing moves behind the text.
            written = Image.alpha_composite(ground.stage.convert("RGBA"), layer).convert("RGB")
            film = self._frames(self._still("ground", written))
        else:
            film = self._pane("ground", ground)
            for number, pane in enumerate(others):
                film = film.overlay(self._pane(f"pane{number}", pane), x=pane.x, y=pane.y)
            if self.page.end:
                film = self._with_end(film, self.page.end)
            film = self._over(film, "layer", layer)
        # Subtitles of the film are laid over the joined picture.
        for number, cue in enumerate(() if self.board.subtitled else self.page.cues):
            drawn = shadowed(cue.drawn(self.page.canvas, self.page.palette), self.page.canvas.px(3))
            film = self._over(film, f"cue{number}", drawn, enable=self._while(cue))
        return self._with_timecode(self._with_progress(film))

    def _with_end(self, film: FilterableStream, end: Image.Image) -> FilterableStream:
        frames, rate = self.board.frames, self.board.rate
        held = max(1, min(frames // _PARTS, rate.nearest_frames(_LONGEST_PART)))
        mixed = min(frames - held, rate.nearest_frames(_LONGEST_PART), frames // _PARTS)
        begin = frames - held - mixed
        coming = self._frames(self._still("end", end, "yuva420p"))
        if mixed:
            coming = coming.filter("fade", type="in", alpha=1, start_frame=begin, nb_frames=mixed)
        return film.overlay(coming, enable=f"gte(t,({2 * begin - 1})/2/({rate.exact}))")

    def _pane(self, name: str, pane: Pane) -> FilterableStream:
        if pane.picture and pane.picture.video:
            return self._repeated(pane, pane.picture.video)
        stage, camera, frame = self._frames(self._still(name, pane.stage)), pane.camera, pane.camera.canvas
        if not camera.moves:
            return stage
        whole = Canvas(width=camera.width, height=camera.height)
        parts = tuple(spans(camera.windows(self.board), frame, whole))
        return shown(stage, parts, frame, self.board.rate, self.workshop / f"{name}.txt")

    def _frames(self, still: FilterableStream) -> FilterableStream:
        """A still repeated for all frames of the clip."""
        rate = self.board.rate.exact
        repeated = still.filter("loop", loop=-1, size=1).filter("setpts", f"N/({rate})/TB")
        return repeated.filter("trim", end_frame=self.board.frames)

    def _still(self, name: str, image: Image.Image, pixels: str = "yuv420p") -> FilterableStream:
        """An image as one frame in the colours of house format."""
        # Compressing a whole picture would take longer than drawing it.
        path = self.workshop / f"{name}.{'bmp' if image.mode == 'RGB' else 'png'}"
        image.save(path, compress_level=1)
        # Without a pattern, as the name of a folder may contain a per cent sign.
        picture = ffmpeg.input(
            str(path.absolute()), f="image2", pattern_type="none", framerate=str(self.board.rate.exact)
        )
        colours = {"out_color_matrix": "bt709", "out_range": "tv", "flags": "bicubic+accurate_rnd+full_chroma_int"}
        return picture.filter("scale", **colours).filter("format", pixels)

    def _over(self, film: FilterableStream, name: str, layer: Image.Image, **options: str) -> FilterableStream:
        """A layer over the film, cropped to the part that is not empty."""
        left, top, right, bottom = layer.getbbox() or (0, 0, 2, 2)
        # Chroma is stored for 2×2 pixels: an odd corner would shift it.
        left, top = left // 2 * 2, top // 2 * 2
        drawn = layer.crop((left, top, -(-right // 2) * 2, -(-bottom // 2) * 2))
        return film.overlay(self._still(name, drawn, "yuva420p"), x=left, y=top, **options)

    def _while(self, cue: Cue) -> str:
        """An expression that is true in the frames of a cue; half a frame early, as times are rounded."""
        first, end = (f"({2 * frame - 1})/2/({self.board.rate.exact})" for frame in (cue.first, cue.end))
        return f"gte(t,{first})*lt(t,{end})"

    def _with_progress(self, film: FilterableStream) -> FilterableStream:
        """The film with a thin line at the foot, which grows with the part of the shot that has passed."""
        canvas = self.page.canvas
        line = Image.new("RGBA", (canvas.width, max(2, canvas.px(4) // 2 * 2)), (*self.page.palette.accent[:3], 170))
        # By time, as `n` does not begin with the same number in all options of overlay.
        passed = f"-w+w*(t*({self.board.rate.exact})+1)/{self.board.frames}"
        return film.overlay(self._still("line", line, "yuva420p"), x=passed, y=canvas.height - line.height)

    def _with_timecode(self, film: FilterableStream) -> FilterableStream:
        place = timecode(self.page.canvas)
        return film.filter(
            "drawtext", fontfile=str(Weight.REGULAR.path), timecode="00:00:00:00", rate=str(self.board.rate.exact),
            fontsize=place.size, fontcolor="0xF6F6F2", x=place.x, y=place.y,
            shadowcolor="black@0.55", shadowx=1, shadowy=1,
        )  # fmt: skip

    def _repeated(self, pane: Pane, video: Probe) -> FilterableStream:
        """A reference video that fills its pane, repeated if it is too short."""
        size = pane.camera.canvas
        height = max(Fraction(size.height), size.width / video.shown_ratio)
        whole = HouseFormat(width=_even(height * video.shown_ratio), height=_even(height), rate=self.house.rate)
        repetitions = [
            _to_length(whole.converted(picture_of(video, file), video), video.frames_at(self.board.rate))
            for file in _repetitions(video, self.board)
        ]
        played = ffmpeg.concat(*repetitions, v=1, a=0)
        filled = played.filter("crop", size.width, size.height, "(iw-ow)/2", f"(ih-oh)*{HEADROOM}")
        return _to_length(filled, self.board.frames)


def _sound(page: Page, board: Board, workshop: Path) -> FilterableStream:
    """The sound of the first reference video that has any, else the guide tone; exactly as long as the picture."""
    samples = board.rate.sample_at(board.frames)
    for pane in page.panes:
        if pane.picture and (video := pane.picture.video) and video.has_sound:
            return faded(_own_sound(video, board).filter("volume", _OWN_SOUND), samples)
    spoken = speak_dialogue(board, page.cues, workshop)
    return guide_tone(board.slate, samples, tuple(_speeches(page.cues, board)), spoken)


def _speeches(cues: tuple[Cue, ...], board: Board) -> Iterator[Speech]:
    """The times at which each speaker speaks; consecutive subtitles of one speaker are one speech."""
    for speaker, run in groupby(cues, key=lambda cue: cue.speaker_number):
        cues_of_one = list(run)
        times = (cues_of_one[0].first, cues_of_one[-1].end)
        first, end = (float(board.rate.seconds(frame)) for frame in times)
        yield Speech(first, end, speaker)


def _own_sound(video: Probe, board: Board) -> FilterableStream:
    """The sound of a reference video; each repetition is as long as its picture."""
    samples = board.rate.sample_at(video.frames_at(board.rate))
    repetitions = [
        sound_of(video, file)
        .filter("aresample", SAMPLE_RATE, first_pts=0, **{"async": 1})
        .filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
        .filter("apad", whole_len=samples)
        .filter("atrim", end_sample=samples)
        for file in _repetitions(video, board)
    ]
    return ffmpeg.concat(*repetitions, v=0, a=1)


def _repetitions(video: Probe, board: Board) -> list[FilterableStream]:
    """The video as many times as it takes to fill the shot, at most `_MOST_REPEATS`.

    ffmpeg's `stream_loop` is not used: before version 7 it drops the last frames of each repetition (measured).
    """
    count = min(_MOST_REPEATS, ceil(board.frames / max(1, video.frames_at(board.rate))))
    # ffmpeg-python merges inputs with equal options, and the frames of a merged one would wait in memory.
    return [opened(video, thread_queue_size=8 + n) for n in range(count)]


def _to_length(picture: FilterableStream, frames: int) -> FilterableStream:
    """Cut to this many frames; if there are fewer, the last is repeated."""
    return picture.filter("tpad", stop=-1, stop_mode="clone").filter("trim", end_frame=frames)


def _frame_at(video: Probe, number: int, rate: FrameRate) -> Image.Image:
    wanted = rate.seconds(number % max(1, video.frames_at(rate)))
    with open_clip(video.path) as clip:
        stream = picture_stream(clip, video.path)
        shown: VideoFrame | None = None
        begin = 0.0
        for place, frame in enumerate(decoded_frames(clip, stream)):
            when = (frame.time or 0.0) if video.has_times else float(place / video.rate)
            if shown is None:
                begin = when
            # With half a frame of tolerance, as times in a file are rounded.
            elif when - begin > wanted + rate.seconds(1) / 2:
                break
            shown = frame
        if shown is None:
            raise no_picture(video.path)
        return displayed_image(shown, stream)


def _even(pixels: Fraction) -> int:
    """Rounded up to an even number."""
    return 2 * ceil(pixels / 2)
