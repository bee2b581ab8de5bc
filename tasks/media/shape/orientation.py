"""The turn and mirroring of a stored picture when it is shown: 1 to 8, as in Exif (CIPA DC-008, tag 274)."""

from __future__ import annotations

import struct

from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from ffmpeg.nodes import FilterableStream
from PIL import Image

UPRIGHT = 1

_ON_PICTURE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_FILTERS: dict[int, tuple[tuple[str, dict[str, str]], ...]] = {
    2: (("hflip", {}),),
    3: (("hflip", {}), ("vflip", {})),
    4: (("vflip", {}),),
    5: (("transpose", {"dir": "cclock_flip"}),),
    6: (("transpose", {"dir": "clock"}),),
    7: (("transpose", {"dir": "clock_flip"}),),
    8: (("transpose", {"dir": "cclock"}),),
}


def orientation_of(frame: VideoFrame) -> int:
    """The orientation in a frame's side data. An angle between the right ones counts as the nearest of them."""
    # `frame.side_data` would keep this object in the frame, to which it refers: a circle in which the frame, of 1.4 MB
    # at 720p, waits for Python's collector (PyAV 18.1.0, read 2026-11-29).
    side_data = SideDataContainer(frame)  # type: ignore[call-arg]
    matrix = next((bytes(one) for one in side_data if one.type.name == "DISPLAYMATRIX"), b"")
    if len(matrix) < 36:
        return UPRIGHT
    # A point (x, y) is shown at (a·x + c·y, b·x + d·y) (ISO/IEC 14496-12, 6.2.2).
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return {(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}[a < 0, d < 0]
    return {(False, False): 5, (False, True): 6, (True, True): 7, (True, False): 8}[b < 0, c < 0]


def swaps_sides(orientation: int) -> bool:
    """Whether width and height are exchanged."""
    return orientation >= 5


def turned(picture: FilterableStream, orientation: int) -> FilterableStream:
    """The picture as it is shown, by ffmpeg's filters."""
    for name, options in _FILTERS.get(orientation, ()):
        picture = picture.filter(name, **options)
    return picture


def turned_image(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is shown."""
    how = _ON_PICTURE.get(orientation)
    return picture if how is None else picture.transpose(how)
