"""Pictures in parts of the frame, each under a camera of its own."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter

from storyreel.tasks.media.stills import blurred_backdrop, cover
from storyreel.tasks.media.text.layout import Box
from storyreel.tasks.providers.animatic.camera import Camera
from storyreel.tasks.providers.animatic.canvas import Canvas, even
from storyreel.tasks.providers.animatic.pictures import Picture
from storyreel.tasks.providers.animatic.window import Window
from storyreel.tasks.providers.request import Board

HEADROOM = 0.3
"""Vertical centre of the crop of a picture that is too tall: heads are in the upper third."""


class Pane(NamedTuple):
    """A picture in a part of the frame, with its own camera."""

    camera: Camera
    """Its canvas is the size of the pane."""
    x: int
    y: int
    """Top left corner in the frame; even numbers."""
    picture: Picture | None
    """None if the stage is drawn, not opened from a file."""
    stage: Image.Image
    """RGB, of the size of the camera's stage; not visible behind a video."""

    @property
    def is_video(self) -> bool:
        """Whether it plays a video instead of showing its stage."""
        return bool(self.picture and self.picture.video)

    def seen(self, window: Window) -> Image.Image:
        """The part of the stage that a window shows, in the size of the pane."""
        box = (window.x, window.y, window.x + window.width, window.y + window.height)
        size = self.camera.canvas
        return self.stage.resize((size.width, size.height), Image.Resampling.BICUBIC, box=box)


def row(shown: tuple[Picture, ...], box: Box, board: Board, canvas: Canvas) -> tuple[Pane, ...]:
    """Pictures side by side at one height, as large as possible in a box, vertically centred."""
    gap = canvas.px(22)
    height = min(box.height, (box.width - gap * (len(shown) - 1)) / sum(picture.ratio for picture in shown))
    sizes = [Canvas(width=even(height * picture.ratio), height=even(height)) for picture in shown]
    spare = box.width - sum(size.width for size in sizes) - gap * (len(shown) - 1)
    # Beside the text they are aligned right, else centred.
    x = box.x + (spare if box.x > canvas.safe.x else spare // 2)
    panes = []
    for picture, size in zip(shown, sizes, strict=True):
        panes.append(filling(picture, board, size, x // 2 * 2, (box.y + (box.height - size.height) // 2) // 2 * 2))
        x += size.width + gap
    return tuple(panes)


def filling(picture: Picture, board: Board, canvas: Canvas, x: int = 0, y: int = 0) -> Pane:
    """A picture or video that fills a canvas."""
    camera = Camera.of("static" if picture.video else board.camera, canvas, picture.ratio)
    return Pane(camera, x, y, picture, cover(opaque(picture.still), camera.width, camera.height, HEADROOM))


def standing(image: Image.Image, canvas: Canvas) -> Pane:
    """A drawn picture of a canvas's size that does not move."""
    return Pane(Camera.of("static", canvas), 0, 0, None, image)


def place_among(found: tuple[Picture, ...], canvas: Canvas) -> Picture | None:
    """The first picture that would fill the frame, which none of a person does as a rule; None if there is none."""
    ratio = canvas.width / canvas.height
    return next((picture for picture in found if not picture.is_sheet and picture.fits(ratio)), None)


def behind(found: tuple[Picture, ...], canvas: Canvas) -> Image.Image:
    """The backdrop of pictures that do not fill the frame: the first that would, else the first, out of focus."""
    ground = place_among(found, canvas) or found[0]
    return blurred_backdrop(opaque(ground.still), canvas.width, canvas.height, light=0.42)


def framed(panes: tuple[Pane, ...], ground: Image.Image, canvas: Canvas) -> Image.Image:
    """A layer with a thin edge around each pane, whose shadow is drawn on the ground."""
    shadow, edges = Image.new("L", ground.size), canvas.layer()
    for pane in panes:
        size = pane.camera.canvas
        place = (pane.x, pane.y, pane.x + size.width - 1, pane.y + size.height - 1)
        ImageDraw.Draw(shadow).rectangle(place, fill=200)
        ImageDraw.Draw(edges).rectangle(place, outline=(255, 255, 255, 90), width=canvas.px(1.4))
    ground.paste((0, 0, 0), mask=shadow.filter(ImageFilter.GaussianBlur(canvas.px(18))))
    return edges


def opaque(still: Image.Image) -> Image.Image:
    """A transparent picture on a plain dark ground."""
    if still.mode != "RGBA":
        return still
    ground = Image.new("RGBA", still.size, (38, 42, 48, 255))
    return Image.alpha_composite(ground, still).convert("RGB")


def fills(picture: Picture, board: Board, canvas: Canvas) -> bool:
    """Whether a picture may fill the frame, or the stage of its camera: a panorama suits a pan. A sheet may not."""
    if picture.is_sheet:
        return False
    camera = Camera.of(board.camera, canvas, picture.ratio)
    return picture.fits(canvas.width / canvas.height) or picture.fits(camera.width / camera.height)


def flat(panes: tuple[Pane, ...], canvas: Canvas) -> Image.Image:
    """The panes as they are at the beginning, in one picture."""
    picture = Image.new("RGB", (canvas.width, canvas.height))
    for pane in panes:
        picture.paste(pane.seen(pane.camera.start), (pane.x, pane.y))
    return picture
