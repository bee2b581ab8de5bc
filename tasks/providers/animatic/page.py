"""The layout of an animatic's frame: pictures that a camera moves over, and text in front of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from storyreel.tasks.media.text.layout import Box, shadowed
from storyreel.tasks.providers.animatic import captions as words
from storyreel.tasks.providers.animatic import pictures
from storyreel.tasks.providers.animatic.camera import Camera
from storyreel.tasks.providers.animatic.canvas import Canvas, Palette, canvas_of
from storyreel.tasks.providers.animatic.dialogue import Cue, cues
from storyreel.tasks.providers.animatic.figures import Person, draw_figures, people_of
from storyreel.tasks.providers.animatic.panes import Pane, behind, filling, fills, flat, framed, row, standing
from storyreel.tasks.providers.animatic.pictures import Picture
from storyreel.tasks.providers.animatic.scenery import camera_diagram, empty_set
from storyreel.tasks.providers.request import Board, Request

MOST_PANES = 3
"""Most pictures side by side."""
_SET_DETAIL = 0.63
"""Pixels of the empty set per frame pixel: it has only soft lines, and drawing it takes time."""


_SUBTITLE, _LOWER_THIRD = 128, 240
"""Height at the foot that is left free for what the film lays over its pictures: two lines of a subtitle, and a lower
third, which is above these."""


_MIDDLES = {"small": (80, 80), "large": (190, 130)}
"""Height above and below the middle that is left free for words there: three lines with a smaller one below, and in a
wide frame two. In an upright one phones may move them up."""
_UP = 0.05
"""The part of an upright frame's height by which words in the middle may be moved up."""


class Rows(NamedTuple):
    """The rows of a frame between its slate and what is at its foot, and those among them for the action."""

    top: int
    foot: int
    first: int
    """The first row for the action; another than `top` if the film lays words over the middle, and it is below them."""
    end: int
    """The row below the action; another than `foot` if it is above such words."""

    @classmethod
    def of(cls, board: Board, canvas: Canvas, foot: int) -> Rows:
        """The rows above `foot`. The action gets the larger part, if words in the middle part them."""
        top = canvas.safe.y + canvas.px(62)
        if not board.crossed:
            return cls(top, foot, top, foot)
        middle, half = canvas.height // 2, canvas.px(_MIDDLES[board.crossed][canvas.is_wide])
        up = round(canvas.height * _UP) if canvas.height > canvas.width else 0
        sides = (middle + half, foot), (top, middle - half - up)
        return cls(top, foot, *max(sides, key=lambda side: side[1] - side[0]))


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
    is a reference, beside the action. People whom no picture shows are drawn, in that of the place if there is one.
    Raises MediaError if a picture or video cannot be opened.
    """
    canvas, palette = canvas_of(request, board), Palette.of(board)
    spoken = cues(board, canvas)
    free = canvas.px(_LOWER_THIRD) if board.titled else canvas.px(_SUBTITLE) if board.subtitled else 0
    foot = canvas.safe.bottom - max(free, *(cue.height + canvas.px(18) for cue in spoken), 0)
    rows = Rows.of(board, canvas, foot)
    slate = shadowed(words.slate(board, request.take, canvas), canvas.px(3))

    view = end = None
    first, last = pictures.opened(request.first_frame, canvas), pictures.opened(request.last_frame, canvas)
    # Where the camera comes to over a first frame that it drew is what the last one shows.
    if first and last and not (first.is_drawn and last.is_drawn):
        end = flat(_board(last, board.model_copy(update={"camera": "static"}), canvas), canvas)
    found = () if first or last else pictures.references(request, canvas, MOST_PANES)
    # A sheet that was made meanwhile shows who is seen.
    has_figures = bool(board.cast) and not any(picture.is_sheet for picture in found)
    if shown := first or last:
        panes = _board(shown, board, canvas)
        view = panes[-1]
        layers = _captioned(board, canvas, rows) if shown.is_drawn or board.continues else _shades(canvas, foot, rows)
    elif not found:
        panes, layers = card_of(request, board, canvas, palette, rows)
    elif has_figures and board.pictured:
        # What continues the shot begins with what fills its frame, as it does without figures.
        view = filling(found[0], board, canvas) if fills(found[0], board, canvas) else None
        panes, layers = _portraits(request, found, board, canvas, palette, rows)
    elif fills(found[0], board, canvas):
        view = filling(found[0], board, canvas)
        panes = (view,)
        layers = _captioned(board, canvas, rows)
        if has_figures and not view.is_video:
            # What continues the shot begins with the place alone, which a paid clip may be made of.
            panes, layers = _peopled(view, request, board, canvas, palette, rows)
    elif has_figures:
        camera = Camera.of(board.camera, canvas)
        ground = behind(found, Canvas(width=camera.width, height=camera.height))
        panes, layers = _peopled(Pane(camera, 0, 0, None, ground), request, board, canvas, palette, rows)
    else:
        panes, layers = _portraits(request, found, board, canvas, palette, rows)
    return Page(canvas, palette, panes, (*layers, slate), spoken, view, end)


def _board(frame: Picture, board: Board, canvas: Canvas) -> tuple[Pane, ...]:
    """The panes for a first or last frame, with the camera move."""
    if fills(frame, board, canvas):
        return (filling(frame, board, canvas),)
    whole = Box(x=0, y=0, width=canvas.width, height=canvas.height)
    return (standing(behind((frame,), canvas), canvas), *row((frame,), whole, board, canvas))


def card_of(
    request: Request, board: Board, canvas: Canvas, palette: Palette, rows: Rows
) -> tuple[tuple[Pane, ...], tuple[Image.Image, ...]]:
    """A shot without a picture: its people in an empty set, with the camera move, and its action beside them.

    Of one without people the action, and a diagram of the camera move.
    """
    if board.cast:
        camera = Camera.of(board.camera, canvas)
        # The set has only soft lines; drawing it as large as the figures would take time.
        small = empty_set(round(camera.width * _SET_DETAIL), round(camera.height * _SET_DETAIL), palette)
        stage = small.resize((camera.width, camera.height), Image.Resampling.BICUBIC)
        return _peopled(Pane(camera, 0, 0, None, stage), request, board, canvas, palette, rows)
    camera = Camera.of(board.camera, canvas, detail=_SET_DETAIL)
    ground = Pane(camera, 0, 0, None, empty_set(camera.width, camera.height, palette))
    text, figure = _columns(canvas, rows, 0.22)
    high = min(figure.height, round(figure.width * canvas.height / canvas.width), canvas.px(150))
    diagram = camera_diagram(board.camera, round(high * canvas.width / canvas.height), high, palette.accent)
    drawing = canvas.layer()
    if canvas.is_wide:
        drawing.paste(diagram, (figure.right - diagram.width, figure.y + (figure.height - diagram.height) // 2))
    else:
        drawing.paste(diagram, (figure.x, figure.bottom - diagram.height))
    written = words.card(board, pictures.remote_notes(request), text, canvas, palette)
    return (ground,), (drawing, shadowed(written, canvas.px(3), 0.8))


def _peopled(
    pane: Pane, request: Request, board: Board, canvas: Canvas, palette: Palette, rows: Rows
) -> tuple[tuple[Pane, ...], tuple[Image.Image, ...]]:
    """A place with the people of the shot in it, under the camera move, and the action beside them."""
    camera, stage = pane.camera, pane.stage.copy()
    whole = max(camera.start, camera.end, key=lambda window: window.width)
    frame = Box(
        x=round((camera.width - whole.width) / 2),
        y=round((camera.height - whole.height) / 2),
        width=round(whole.width),
        height=round(whole.height),
    )
    draw_figures(stage, people_of(board), board.size, frame, palette)
    safe = canvas.safe
    highest = rows.top + canvas.px(28) if canvas.is_wide else rows.end - round(safe.height * 0.26)
    y = rows.first if rows.end < rows.foot else max(highest, rows.first)
    width = round(safe.width * 0.36) if canvas.is_wide else safe.width
    column = Box(x=safe.x, y=y, width=width, height=max(1, rows.end - y))
    written = shadowed(words.story(board, pictures.remote_notes(request), column, canvas, palette), canvas.px(3))
    top = (written.getbbox() or (0, rows.end, 0, 0))[1]
    is_dark = canvas.is_wide and pane.picture is None
    shades = _shades(canvas, rows.foot if is_dark else min(rows.end, top + canvas.px(30)), rows)
    return (pane._replace(stage=stage),), (*shades, written)


def _portraits(
    request: Request, found: tuple[Picture, ...], board: Board, canvas: Canvas, palette: Palette, rows: Rows
) -> tuple[tuple[Pane, ...], tuple[Image.Image, ...]]:
    """A shot with references of another shape: they are beside the action, each with the camera move.

    Beside them is a figure of each person without a picture, as far as there is room.
    """
    shown = tuple(picture for picture in found if not fills(picture, board, canvas))
    if board.pictured:
        shown = shown or found[:1]
        people = people_of(board)[: max(1, MOST_PANES - len(shown))]
        shown = (*shown, *(_portrait_of(person, canvas, palette) for person in people))
    text, figure = _columns(canvas, rows, 0.36 if len(shown) == 1 else 0.5)
    beside = row(shown, figure, board, canvas)
    ground = behind(found, canvas)
    edges = framed(beside, ground, canvas)
    written = words.card(board, pictures.remote_notes(request), text, canvas, palette)
    return (standing(ground, canvas), *beside), (edges, shadowed(written, canvas.px(3)))


def _portrait_of(person: Person, canvas: Canvas, palette: Palette) -> Picture:
    """A drawn portrait, for a row of pictures."""
    frame = Box(x=0, y=0, width=round(canvas.px(720) * 0.75), height=canvas.px(720))
    ground = empty_set(frame.width, frame.height, palette)
    draw_figures(ground, [person], "medium close up", frame, palette)
    return Picture(Path(), ground, is_drawn=True)


def _columns(canvas: Canvas, rows: Rows, share: float) -> tuple[Box, Box]:
    """The boxes of a card's text and figure: side by side in a wide frame, else the figure above the text, or below
    text that stands above words in the middle."""
    safe, gap, top = canvas.safe, canvas.px(46), rows.top
    height = max(canvas.px(60), rows.foot - top)
    if canvas.is_wide:
        figure = round(safe.width * share)
        text = safe.width - figure - gap
        return (
            Box(x=safe.x, y=rows.first, width=text, height=max(canvas.px(60), rows.end - rows.first)),
            Box(x=safe.right - figure, y=top, width=figure, height=height),
        )
    figure = round(height * 0.42)
    first = max(rows.first, top + figure + gap) if rows.end == rows.foot else rows.first
    text = max(canvas.px(40), rows.end - first)
    return (
        Box(x=safe.x, y=first, width=safe.width, height=text),
        Box(x=safe.x, y=top if first > top else rows.foot - figure, width=safe.width, height=figure),
    )


def _captioned(board: Board, canvas: Canvas, rows: Rows) -> tuple[Image.Image, ...]:
    """The shades, and the action in a few lines."""
    caption = words.caption(board, canvas)
    return (
        *_shades(canvas, rows.end - caption.height if caption.lines else rows.foot, rows),
        shadowed(words.draw_caption(caption, rows.end, canvas), canvas.px(3)),
    )


def _shades(canvas: Canvas, foot: int, rows: Rows) -> tuple[Image.Image, ...]:
    """The shade behind the slate, with the text above words in the middle, and the one behind text from row `foot`."""
    is_above = rows.end < rows.foot
    head = words.shade(canvas, rows.end + canvas.px(100) if is_above else rows.top + canvas.px(63), canvas.height)
    if is_above:
        foot = rows.foot
    if foot >= canvas.safe.bottom:
        return (head,)
    return head, words.shade(canvas, 0, foot - canvas.px(100))
