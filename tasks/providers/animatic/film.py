"""From an animatic's page to its clip: ffmpeg moves the cameras, lays the words over, counts, and adds the sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import ceil
from pathlib import Path

import ffmpeg
from av.video.frame import VideoFrame
from ffmpeg.nodes import FilterableStream, OutputStream
from PIL import Image

from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.media.frames import displayed_image
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import Probe, no_picture, open_clip, picture_stream
from storyreel.tasks.media.stills import cover
from storyreel.tasks.media.text import Weight, shadowed
from storyreel.tasks.providers.animatic.captions import timecode
from storyreel.tasks.providers.animatic.dialogue import Cue
from storyreel.tasks.providers.animatic.guide_sound import Speech, faded, guide_tone
from storyreel.tasks.providers.animatic.page import HEADROOM, Page, Pane
from storyreel.tasks.providers.request import Board

_TURN = 3
"""In the second third of a shot its picture mixes into the one that it ends with, which stands for the last."""
_LONGEST_TURN = Fraction(3, 2)
"""Seconds of either at most."""

_OWN_SOUND = "-12dB"
"""What a reference video's own sound is turned down by."""

_TICKS = 240_000
"""Ticks a second of the container's clock: in this many, unlike in its usual 1000, samples and frames are whole."""

_MOST_TURNS = 40
"""How often a short video begins again in one shot; every turn opens the file once more."""


def clip_of(page: Page, board: Board, house: HouseFormat, workshop: Path, out: Path) -> OutputStream:
    """How ffmpeg makes the clip; what it reads is drawn into the folder `workshop`."""
    bench = _Bench(page, board, house, workshop)
    return ffmpeg.output(
        house.tagged(bench.picture()), _sound(page, board), str(out.absolute()),
        **house.picture_options(), **{"c:a": "aac", "b:a": "128k", "ar": SAMPLE_RATE, "movie_timescale": _TICKS},
    )  # fmt: skip


def end_of(page: Page, board: Board) -> Image.Image | None:
    """What the camera sees of the shot at its end, without words; None where the page does not show the shot itself."""
    if page.end:
        return page.end
    if page.view is None:
        return None
    pane, size = page.view, page.view.camera.canvas
    if pane.picture and pane.picture.video:
        still = _frame_at(pane.picture.video, board.frames - 1, board.rate)
        return cover(still, size.width, size.height)
    end = pane.camera.end
    box = (end.x, end.y, end.x + end.width, end.y + end.height)
    return pane.stage.resize((size.width, size.height), Image.Resampling.BICUBIC, box=box)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where the layers of one clip are put on top of each other."""

    page: Page
    board: Board
    house: HouseFormat
    workshop: Path

    def picture(self) -> FilterableStream:
        """All layers from the bottom up."""
        ground, *others = self.page.panes
        layers = list(self.page.layers)
        if not (ground.plays or ground.camera.moves or others or self.page.end):
            # Nothing moves behind the words: they are drawn on the picture, and need not be laid over every frame.
            stage = ground.stage.convert("RGBA")
            while layers:
                stage = Image.alpha_composite(stage, layers.pop(0))
            film = self._frames(self._still("ground", stage.convert("RGB")))
        else:
            film = self._shot("ground", ground)
        for number, pane in enumerate(others):
            film = film.overlay(self._shot(f"pane{number}", pane), x=pane.x, y=pane.y)
        if self.page.end:
            film = self._turned(film, self.page.end)
        for number, layer in enumerate(layers):
            film = self._over(film, f"layer{number}", layer)
        for number, cue in enumerate(self.page.cues):
            drawn = shadowed(cue.drawn(self.page.canvas, self.page.palette), self.page.canvas.px(3))
            film = self._over(film, f"cue{number}", drawn, enable=self._while(cue))
        return self._counted(self._measured(film))

    def _turned(self, film: FilterableStream, end: Image.Image) -> FilterableStream:
        """The film mixed into the picture it ends with, which then stands for a while."""
        frames, rate = self.board.frames, self.board.rate
        stands = max(1, min(frames // _TURN, rate.nearest_frames(_LONGEST_TURN)))
        turns = min(frames - stands, rate.nearest_frames(_LONGEST_TURN), frames // _TURN)
        begin = frames - stands - turns
        coming = self._frames(self._still("end", end, "yuva420p"))
        if turns:
            coming = coming.filter("fade", type="in", alpha=1, start_frame=begin, nb_frames=turns)
        return film.overlay(coming, enable=f"gte(t,({2 * begin - 1})/2/({rate.exact}))")

    def _shot(self, name: str, pane: Pane) -> FilterableStream:
        """A pane frame by frame."""
        if pane.picture and pane.picture.video:
            return self._played(pane, pane.picture.video)
        return pane.camera.over(self._frames(self._still(name, pane.stage)), self.board)

    def _frames(self, still: FilterableStream) -> FilterableStream:
        """A still for as many frames as the clip has."""
        rate = self.board.rate.exact
        repeated = still.filter("loop", loop=-1, size=1).filter("setpts", f"N/({rate})/TB")
        return repeated.filter("trim", end_frame=self.board.frames)

    def _still(self, name: str, image: Image.Image, pixels: str = "yuv420p") -> FilterableStream:
        """One image as one frame in the house's colours."""
        path = self.workshop / f"{name}.png"
        image.save(path, compress_level=1)
        # Without a pattern, as a folder's name may hold a per cent sign.
        picture = ffmpeg.input(
            str(path.absolute()), f="image2", pattern_type="none", framerate=str(self.board.rate.exact)
        )
        colours = {"out_color_matrix": "bt709", "out_range": "tv", "flags": "bicubic+accurate_rnd+full_chroma_int"}
        return picture.filter("scale", **colours).filter("format", pixels)

    def _over(self, film: FilterableStream, name: str, layer: Image.Image, **options: str) -> FilterableStream:
        """A layer over the film; only the part that something is drawn on."""
        left, top, right, bottom = layer.getbbox() or (0, 0, 2, 2)
        # Colour is stored for two by two pixels: an odd corner would shift it.
        left, top = left // 2 * 2, top // 2 * 2
        drawn = layer.crop((left, top, -(-right // 2) * 2, -(-bottom // 2) * 2))
        return film.overlay(self._still(name, drawn, "yuva420p"), x=left, y=top, **options)

    def _while(self, cue: Cue) -> str:
        """True for the frames of a cue; asked half a frame beside their times, as those are rounded."""
        first, end = (f"({2 * frame - 1})/2/({self.board.rate.exact})" for frame in (cue.first, cue.end))
        return f"gte(t,{first})*lt(t,{end})"

    def _measured(self, film: FilterableStream) -> FilterableStream:
        """With a thin line at the foot that is as long as the part of the shot that has passed."""
        canvas = self.page.canvas
        line = Image.new("RGBA", (canvas.width, canvas.px(4) // 2 * 2), (*self.page.palette.accent[:3], 170))
        # By time: what `n` counts from differs between overlay's uses of it.
        passed = f"-w+w*(t*({self.board.rate.exact})+1)/{self.board.frames}"
        return film.overlay(self._still("line", line, "yuva420p"), x=passed, y=canvas.height - line.height)

    def _counted(self, film: FilterableStream) -> FilterableStream:
        """With the running timecode."""
        place = timecode(self.page.canvas)
        return film.filter(
            "drawtext", fontfile=str(Weight.REGULAR.path), timecode="00:00:00:00", rate=str(self.board.rate.exact),
            fontsize=place.size, fontcolor="0xF6F6F2", x=place.x, y=place.y,
            shadowcolor="black@0.55", shadowx=1, shadowy=1,
        )  # fmt: skip

    def _played(self, pane: Pane, video: Probe) -> FilterableStream:
        """A reference video, again and again, filling its pane."""
        size = pane.camera.canvas
        height = max(Fraction(size.height), size.width / video.shown_ratio)
        whole = HouseFormat(width=_even(height * video.shown_ratio), height=_even(height), rate=self.house.rate)
        turns = [
            _exactly(whole.converted(source.video, video), video.frames_at(self.board.rate))
            for source in _turns(video, self.board)
        ]
        played = ffmpeg.concat(*turns, v=1, a=0)
        filled = played.filter("crop", size.width, size.height, "(iw-ow)/2", f"(ih-oh)*{HEADROOM}")
        return _exactly(filled, self.board.frames)


def _sound(page: Page, board: Board) -> FilterableStream:
    """The sound of the first video that plays and has any, else the guide tone; exactly as long as the picture."""
    samples = board.rate.sample_at(board.frames)
    for pane in page.panes:
        if pane.picture and (video := pane.picture.video) and video.has_sound:
            return faded(_own_sound(video, board).filter("volume", _OWN_SOUND), samples)
    return guide_tone(board.slate, samples, tuple(_speeches(page.cues, board)))


def _speeches(cues: tuple[Cue, ...], board: Board) -> Iterator[Speech]:
    """When each speaker speaks; subtitles of one speaker that follow each other are one speech."""
    for speaker, run in groupby(cues, key=lambda cue: cue.speaker_number):
        said = list(run)
        first, end = (float(board.rate.seconds(frame)) for frame in (said[0].first, said[-1].end))
        yield Speech(first, end, speaker)


def _own_sound(video: Probe, board: Board) -> FilterableStream:
    """The sound of a video that plays, each turn as long as its picture."""
    samples = board.rate.sample_at(video.frames_at(board.rate))
    turns = [
        source.audio.filter("aresample", SAMPLE_RATE, first_pts=0, **{"async": 1})
        .filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
        .filter("apad", whole_len=samples)
        .filter("atrim", end_sample=samples)
        for source in _turns(video, board)
    ]
    return ffmpeg.concat(*turns, v=0, a=1)


def _turns(video: Probe, board: Board) -> list[FilterableStream]:
    """The video as often as it must be played to fill the shot; at the end of very many turns it stands still.

    ffmpeg's own `stream_loop` is not used: before version 7 it loses the last pictures of every turn (measured).
    """
    turns = min(_MOST_TURNS, ceil(board.frames / max(1, video.frames_at(board.rate))))
    # Inputs of equal options would be taken for one, whose pictures then wait in memory for their next turn.
    return [ffmpeg.input(str(video.path.absolute()), threads=1, thread_queue_size=8 + turn) for turn in range(turns)]


def _exactly(picture: FilterableStream, frames: int) -> FilterableStream:
    """So many frames; the last one stands where there are fewer."""
    return picture.filter("tpad", stop=-1, stop_mode="clone").filter("trim", end_frame=frames)


def _frame_at(video: Probe, number: int, rate: FrameRate) -> Image.Image:
    """The picture that a video shows at a frame of a shot in which it is played again and again."""
    wanted = rate.seconds(number % max(1, video.frames_at(rate)))
    with open_clip(video.path) as clip:
        stream = picture_stream(clip, video.path)
        shown: VideoFrame | None = None
        begin = 0.0
        for frame in clip.decode(stream):
            if shown is None:
                begin = frame.time or 0.0
            # Half a frame early, as the times in a file are rounded.
            elif (frame.time or 0.0) - begin > wanted + rate.seconds(1) / 2:
                break
            shown = frame
        if shown is None:
            raise no_picture(video.path)
        return displayed_image(shown, pixel=float(stream.sample_aspect_ratio or 1))


def _even(pixels: Fraction) -> int:
    """The next even number."""
    return 2 * ceil(pixels / 2)
