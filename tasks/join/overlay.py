"""Lay pictures over the joined film: only the groups of frames beneath are encoded again, as pieces of their own.

A piece is made of one clip or dissolve alone, so that it can be made as soon as that is there. It begins where what is
shown before needs none of its frames, and ends where what follows needs none: at a keyframe, or the end of its source.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream
from PIL import Image

from storyreel.specs.frozen import Frozen
from storyreel.tasks.join import draft_mark
from storyreel.tasks.join.mux import PictureRange
from storyreel.tasks.join.pieces import PicturePiece, SharedPieces, encoded_piece, find_or_make
from storyreel.tasks.media.colour import SMOOTH
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.frames import write_png
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import Joints, joints
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.threads import in_threads

_VERSION = 1
"""Part of the cache key; increased when the output changes and the options do not show it."""


class Overlay(Frozen):
    """A picture over the frames `[start, end)` of the film."""

    png: bytes
    """Its file, with transparency, of even width and height."""
    digest: str
    """SHA-256 of its pixels, in hex."""
    x: int
    y: int
    """Pixels from the left and the top of the film's picture to those of this one, both even."""
    start: int
    end: int
    fade_in: int = 0
    """Frames; the k-th of D has (k + 1) / (D + 1) of the picture's opacity."""
    fade_out: int = 0


def place_overlay(
    picture: Image.Image, at: tuple[int, int], frames: tuple[int, int], fades: tuple[int, int]
) -> Overlay | None:
    """The visible part of an RGBA picture whose left upper corner is `at`, over `frames`; None if it shows nothing."""
    visible = picture.getchannel("A").getbbox()
    if visible is None or frames[0] >= frames[1]:
        return None
    # At even places, as the colours of 4:2:0 have one sample for two pixels.
    left, top = ((edge + start) // 2 * 2 - start for edge, start in zip(visible[:2], at, strict=True))
    width, height = ((end - edge + 1) // 2 * 2 for end, edge in zip(visible[2:], (left, top), strict=True))
    cropped = picture.crop((left, top, left + width, top + height))
    digest = cache_key("overlaid picture", cropped.size, cropped.tobytes().hex())
    png = io.BytesIO()
    write_png(cropped, png)
    return Overlay(png=png.getvalue(), digest=digest, x=at[0] + left, y=at[1] + top, start=frames[0], end=frames[1],
                   fade_in=fades[0], fade_out=fades[1])  # fmt: skip


class Stretch(NamedTuple):
    """Frames `[first, last)` of a source that are encoded again, at frame `at` of the film, with what lies on them."""

    source: PicturePiece
    keyframe: int
    """The frame of the source at which decoding begins."""
    first: int
    last: int
    at: int
    overlays: tuple[Overlay, ...]
    """The lower first."""


class OverlaidClip(PicturePiece):
    """The frames of a stretch, without sound."""


def stretches(source: PicturePiece, part: PictureRange, overlays: Sequence[Overlay]) -> list[Stretch]:
    """The parts of a range of the film, made of a clip or dissolve, that its overlays make necessary to encode again.

    Reads the file's packets if there are any. Raises MediaError.
    """
    begin, end = part.at, part.at + part.last - part.first
    if not any(each.start < end and each.end > begin for each in overlays):
        return []
    return list(_stretches(source, part, overlays, joints(source.picture)))


def _stretches(
    source: PicturePiece, part: PictureRange, overlays: Sequence[Overlay], where: Joints
) -> Iterator[Stretch]:
    shift = part.at - part.first
    groups = [frame for frame in where.keyframes if part.first <= frame < part.last]
    if len(groups) == part.last - part.first:
        # Each frame is encoded for itself: a piece is as long as the same pictures lie on it.
        edges = {edge - shift for each in overlays for edge in (each.start, each.end)}
        groups = [frame for frame in groups if frame == part.first or frame in edges]
    for keyframe, last in zip(groups, [*groups[1:], part.last], strict=True):
        above = tuple(each for each in overlays if each.start < last + shift and each.end > keyframe + shift)
        if above:
            covered = min(each.start for each in above) - shift
            first = max(frame for frame in (keyframe, *where.ends) if frame <= max(keyframe, covered))
            yield Stretch(source, keyframe, first, last, first + shift, above)


def with_overlaid(ranges: Sequence[PictureRange], overlaid: Mapping[int, OverlaidClip]) -> Iterator[PictureRange]:
    """The ranges of a film with the pieces, each by the frame of the film at which it begins, in their places."""
    for part in ranges:
        frame, end = part.at, part.at + part.last - part.first
        for at in sorted(at for at in overlaid if frame <= at < end):
            if frame < at:
                yield part._replace(first=part.first + frame - part.at, last=part.first + at - part.at, at=frame)
            yield PictureRange(overlaid[at].picture, 0, overlaid[at].frames, at)
            frame = at + overlaid[at].frames
        if frame < end:
            yield part._replace(first=part.first + frame - part.at, at=frame)


def overlay_key(stretch: Stretch, house: HouseFormat, ffmpeg_version: str, *, is_draft: bool = False) -> str:
    """Cache key: SHA-256, in hex, of everything that the output of `lay_over` depends on."""
    frames = stretch.first, stretch.last
    laid = [_Laid.of(each, stretch) for each in stretch.overlays]
    mark = ("draft", draft_mark.VERSION) if is_draft else ()
    return cache_key(
        "overlay", _VERSION, stretch.source.picture_digest, frames, laid, *house.facts, ffmpeg_version, *mark
    )


async def lay_over(
    stretch: Stretch,
    house: HouseFormat,
    into: Path,
    *,
    is_draft: bool = False,
    shared: SharedPieces | None = None,
) -> OverlaidClip:
    """The piece in the folder `into`, copied from the ones that hosts share, or encoded of the stretch.

    In a draft the mark stays above all that is laid over. Raises MediaError.
    """
    frames = stretch.last - stretch.first

    async def make(folder: Path) -> OverlaidClip:
        picture = folder / f"picture{house.suffix}"
        async with in_threads(_written(stretch.overlays)) as files:
            await run(_encoded(stretch, files, house, picture, is_draft=is_draft), frames=frames)
        what = f"{stretch.source.picture} with words over it"
        hint = "delete this file; the next render makes it again"
        return await encoded_piece(OverlaidClip, picture, frames, stretch.source.signature, what, hint)

    return await find_or_make(OverlaidClip, into, make, shared=shared)


class _Laid(NamedTuple):
    """The part of an overlay that is seen in a stretch. Frames are counted from the first of the stretch."""

    digest: str
    x: int
    y: int
    start: int
    end: int
    fade_in: tuple[int, int] | None
    """The frame at which it begins, below 0 if before the stretch, and its length; None if nothing of it is seen."""
    fade_out: tuple[int, int] | None

    @classmethod
    def of(cls, overlay: Overlay, stretch: Stretch) -> _Laid:
        start, end = overlay.start - stretch.at, overlay.end - stretch.at
        length = stretch.last - stretch.first
        fades_in = overlay.fade_in > 0 and start + overlay.fade_in > 0
        fades_out = overlay.fade_out > 0 and end - overlay.fade_out < length
        return cls(overlay.digest, overlay.x, overlay.y, max(0, start), min(end, length),
                   (start, overlay.fade_in) if fades_in else None,
                   (end - overlay.fade_out, overlay.fade_out) if fades_out else None)  # fmt: skip


@contextmanager
def _written(overlays: Sequence[Overlay]) -> Iterator[list[Path]]:
    """The pictures as files that exist while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="storyreel-") as folder:
        files = [Path(folder) / f"{number}.png" for number in range(len(overlays))]
        for file, overlay in zip(files, overlays, strict=True):
            file.write_bytes(overlay.png)
        yield files


def _encoded(
    stretch: Stretch, files: Sequence[Path], house: HouseFormat, into: Path, *, is_draft: bool
) -> OutputStream:
    # As in a dissolve: the seek goes to the keyframe, an accurate one would decode from the start of the file.
    start = (stretch.keyframe + Fraction(1, 4)) / house.rate.exact
    seek = {"ss": f"{float(start):.6f}", "noaccurate_seek": None} if stretch.keyframe else {}
    frames = stretch.last - stretch.first
    picture = ffmpeg.input(str(stretch.source.picture), threads=1, **seek).video
    picture = picture.filter(
        "trim", start_frame=stretch.first - stretch.keyframe, end_frame=stretch.last - stretch.keyframe
    )
    picture = picture.filter("setpts", f"N/({house.rate.exact})/TB").filter("fps", str(house.rate.exact))

    def covered(picture: FilterableStream) -> FilterableStream:
        for file, overlay in zip(files, stretch.overlays, strict=True):
            picture = _laid_over(picture, file, _Laid.of(overlay, stretch), house)
        return picture

    picture = draft_mark.below_draft_mark(picture, house, covered) if is_draft else covered(picture)
    return ffmpeg.output(house.tagged(picture), str(into), **house.picture_options(), **{"frames:v": frames})


def _laid_over(picture: FilterableStream, file: Path, seen: _Laid, house: HouseFormat) -> FilterableStream:
    """The picture with an overlay in the frames in which it is seen.

    A fade of ffmpeg begins with nothing. One frame longer at that end, and as many frames of what is above are made
    before those that are seen as the fades need to begin at frame 0 or later.
    """
    before = max(0, *(seen.start - at + 1 for at, _ in filter(None, (seen.fade_in, seen.fade_out))), 0)
    origin = seen.start - before
    above = ffmpeg.input(str(file), framerate=str(house.rate.exact))
    above = above.filter("scale", out_color_matrix="bt709", out_range="tv", flags=SMOOTH)
    above = above.filter("format", house.pixels_with_alpha)
    above = above.filter("loop", loop=-1, size=1).filter("setpts", "N")
    if seen.fade_in:
        at, length = seen.fade_in
        above = above.filter("fade", t="in", start_frame=at - 1 - origin, nb_frames=length + 1, alpha=1)
    if seen.fade_out:
        at, length = seen.fade_out
        above = above.filter("fade", t="out", start_frame=at - 1 - origin, nb_frames=length + 1, alpha=1)
    above = above.filter("trim", start_frame=before, end_frame=before + seen.end - seen.start)
    above = above.filter("setpts", f"N+{seen.start}")
    return ffmpeg.filter(
        [picture, above], "overlay", seen.x, seen.y, eof_action="pass", format=house.pixels_overlaid,
        enable=f"between(n,{seen.start},{seen.end - 1})",
    )  # fmt: skip
