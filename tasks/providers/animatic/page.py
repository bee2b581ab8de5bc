"""The layout of an animatic's frame: pictures that a camera moves over, and text in front of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter

from storyreel.tasks.media.stills import blurred_backdrop, cover
from storyreel.tasks.media.text.layout import Box, Fonts, shadowed
from storyreel.tasks.providers.animatic import captions as words
from storyreel.tasks.providers.animatic import pictures
from storyreel.tasks.providers.animatic.camera import Camera
from storyreel.tasks.providers.animatic.canvas import Canvas, Palette, even
from storyreel.tasks.providers.animatic.dialogue import Cue, cues
from storyreel.tasks.providers.animatic.pictures import Picture
from storyreel.tasks.providers.animatic.scenery import camera_diagram, empty_set
from storyreel.tasks.providers.request import Board, Request

_MOST_PANES = 3
HEADROOM = 0.3
"""Vertical centre of the crop of a picture that is too tall: heads are in the upper third."""

_SET_DETAIL = 0.63
"""Pixels of the empty set per frame pixel: it has only soft lines, and drawing it takes time."""


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
        return bool(self.picture and self.picture.video)


class Page(NamedTuple):
    """The content of a frame, the lowest layer first."""

    canvas: Canvas
    palette: Palette
    panes: tuple[Pane, ...]
    """The first fills the frame."""
    layers: tuple[Image.Image, ...]
    """Shades and permanent text; RGBA, of the frame's size."""
    cues: tuple[Cue, ...]
    view: Pane | None
    """The pane that shows the shot itself; None for a card, with or without portraits."""
    end: Image.Image | None = None
    """The picture that the shot mixes into before its end, RGB, of the frame's size; None without one."""


def lay_out(request: Request, board: Board) -> Page:
    """The page of a take: its first frame, else its last frame, else its references, else a card.

    A picture of about the frame's shape fills it. Another one is shown whole, in front of itself out of focus; if it
    is a reference, beside the action. Raises MediaError if a picture or video cannot be opened.
    """
    fonts = Fonts(own=Path(board.font) if board.font else None)
    canvas, palette = Canvas(width=request.width, height=request.height, fonts=fonts), Palette.of(board)
    spoken = cues(board, canvas)
    foot = canvas.safe.bottom - max((cue.height + canvas.px(18) for cue in spoken), default=0)
    slate = shadowed(words.slate(board, request.take, canvas), canvas.px(3))

    view = end = None
    first, last = pictures.opened(request.first_frame, canvas), pictures.opened(request.last_frame, canvas)
    if first and last:
        end = _flat(_board(last, board.model_copy(update={"camera": "static"}), canvas), canvas)
    if shown := first or last:
        panes = _board(shown, board, canvas)
        view = panes[-1]
        layers = _shades(canvas, foot)
    elif not (found := pictures.references(request, canvas, _MOST_PANES)):
        panes, layers = _card(request, board, canvas, palette, foot)
    elif _fills(found[0], board, canvas):
        view = _filling(found[0], board, canvas)
        panes = (view,)
        caption = words.caption(board, canvas)
        layers = (
            *_shades(canvas, foot - caption.height if caption.lines else foot),
            shadowed(words.draw_caption(caption, foot, canvas), canvas.px(3)),
        )
    else:
        panes, layers = _portraits(request, found, board, canvas, palette, foot)
    return Page(canvas, palette, panes, (*layers, slate), spoken, view, end)


def _board(frame: Picture, board: Board, canvas: Canvas) -> tuple[Pane, ...]:
    """The panes for a first or last frame, with the camera move."""
    if _fills(frame, board, canvas):
        return (_filling(frame, board, canvas),)
    whole = Box(x=0, y=0, width=canvas.width, height=canvas.height)
    return (_still(_behind((frame,), canvas), canvas), *_row((frame,), whole, board, canvas))


def _flat(panes: tuple[Pane, ...], canvas: Canvas) -> Image.Image:
    flat = Image.new("RGB", (canvas.width, canvas.height))
    for pane in panes:
        flat.paste(pane.stage, (pane.x, pane.y))
    return flat


def _card(
    request: Request, board: Board, canvas: Canvas, palette: Palette, foot: int
) -> tuple[tuple[Pane, ...], tuple[Image.Image, ...]]:
    """A shot without a picture: its action over an empty set with the camera move, and a diagram of the move."""
    camera = Camera.of(board.camera, canvas, detail=_SET_DETAIL)
    ground = Pane(camera, 0, 0, None, empty_set(camera.width, camera.height, palette))
    text, figure = _columns(canvas, foot, 0.22)
    high = min(figure.height, round(figure.width * canvas.height / canvas.width), canvas.px(150))
    diagram = camera_diagram(board.camera, round(high * canvas.width / canvas.height), high, palette.accent)
    drawing = canvas.layer()
    if canvas.is_wide:
        drawing.paste(diagram, (figure.right - diagram.width, figure.y + (figure.height - diagram.height) // 2))
    else:
        drawing.paste(diagram, (figure.x, figure.bottom - diagram.height))
    written = words.card(board, pictures.remote_notes(request), text, canvas, palette)
    return (ground,), (drawing, shadowed(written, canvas.px(3), 0.8))


def _portraits(
    request: Request, found: tuple[Picture, ...], board: Board, canvas: Canvas, palette: Palette, foot: int
) -> tuple[tuple[Pane, ...], tuple[Image.Image, ...]]:
    """A shot with references of another shape: they are beside the action, each with the camera move."""
    shown = tuple(picture for picture in found if not _fills(picture, board, canvas))
    text, figure = _columns(canvas, foot, 0.36 if len(shown) == 1 else 0.5)
    row = _row(shown, figure, board, canvas)
    ground = _behind(found, canvas)
    layer, edges = Image.new("L", ground.size), canvas.layer()
    for pane in row:
        size = pane.camera.canvas
        place = (pane.x, pane.y, pane.x + size.width - 1, pane.y + size.height - 1)
        ImageDraw.Draw(layer).rectangle(place, fill=200)
        ImageDraw.Draw(edges).rectangle(place, outline=(255, 255, 255, 90), width=canvas.px(1.4))
    ground.paste((0, 0, 0), mask=layer.filter(ImageFilter.GaussianBlur(canvas.px(18))))
    written = words.card(board, pictures.remote_notes(request), text, canvas, palette)
    return (_still(ground, canvas), *row), (edges, shadowed(written, canvas.px(3)))


def _columns(canvas: Canvas, foot: int, share: float) -> tuple[Box, Box]:
    """The boxes of a card's text and figure: side by side in a wide frame, else the figure above the text."""
    safe, gap = canvas.safe, canvas.px(46)
    top = safe.y + canvas.px(62)
    height = max(canvas.px(60), foot - top)
    if canvas.is_wide:
        figure = round(safe.width * share)
        text = safe.width - figure - gap
        return (
            Box(x=safe.x, y=top, width=text, height=height),
            Box(x=safe.right - figure, y=top, width=figure, height=height),
        )
    figure = round(height * 0.42)
    return (
        Box(x=safe.x, y=top + figure + gap, width=safe.width, height=max(canvas.px(40), height - figure - gap)),
        Box(x=safe.x, y=top, width=safe.width, height=figure),
    )


def _row(shown: tuple[Picture, ...], box: Box, board: Board, canvas: Canvas) -> tuple[Pane, ...]:
    """Pictures side by side at one height, as large as possible in a box, vertically centred."""
    gap = canvas.px(22)
    height = min(box.height, (box.width - gap * (len(shown) - 1)) / sum(picture.ratio for picture in shown))
    sizes = [Canvas(width=even(height * picture.ratio), height=even(height)) for picture in shown]
    spare = box.width - sum(size.width for size in sizes) - gap * (len(shown) - 1)
    # A figure beside the text is aligned right; one over the whole width is centred.
    x = box.x + (spare if canvas.is_wide and box.width < canvas.width else spare // 2)
    panes = []
    for picture, size in zip(shown, sizes, strict=True):
        panes.append(_filling(picture, board, size, x // 2 * 2, (box.y + (box.height - size.height) // 2) // 2 * 2))
        x += size.width + gap
    return tuple(panes)


def _filling(picture: Picture, board: Board, canvas: Canvas, x: int = 0, y: int = 0) -> Pane:
    """A picture or video that fills a canvas."""
    camera = Camera.of("static" if picture.video else board.camera, canvas, picture.ratio)
    return Pane(camera, x, y, picture, cover(_opaque(picture.still), camera.width, camera.height, HEADROOM))


def _still(image: Image.Image, canvas: Canvas) -> Pane:
    return Pane(Camera.of("static", canvas), 0, 0, None, image)


def _behind(found: tuple[Picture, ...], canvas: Canvas) -> Image.Image:
    """The backdrop of pictures that do not fill the frame: the first that would, else the first, out of focus."""
    ground = next((picture for picture in found if picture.fits(canvas.width / canvas.height)), found[0])
    return blurred_backdrop(_opaque(ground.still), canvas.width, canvas.height, light=0.42)


def _opaque(still: Image.Image) -> Image.Image:
    """A transparent picture on a plain dark ground."""
    if still.mode != "RGBA":
        return still
    ground = Image.new("RGBA", still.size, (38, 42, 48, 255))
    return Image.alpha_composite(ground, still).convert("RGB")


def _shades(canvas: Canvas, foot: int) -> tuple[Image.Image, ...]:
    """The shade behind the slate, and the one behind the text at the foot if there is any."""
    head = words.shade(canvas, canvas.safe.y + canvas.px(125), canvas.height)
    if foot >= canvas.safe.bottom:
        return (head,)
    return head, words.shade(canvas, 0, foot - canvas.px(100))


def _fills(picture: Picture, board: Board, canvas: Canvas) -> bool:
    """Whether a picture may fill the frame, or the stage of its camera: a panorama suits a pan."""
    camera = Camera.of(board.camera, canvas, picture.ratio)
    return picture.fits(canvas.width / canvas.height) or picture.fits(camera.width / camera.height)
