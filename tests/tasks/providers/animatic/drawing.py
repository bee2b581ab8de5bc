"""Helpers of the animatic's tests: requests, and a way to look at the frames of a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageChops, ImageStat

from storyreel.specs.storyboard import Format, Mode
from storyreel.specs.timing import FrameRate
from storyreel.tasks.providers.animatic.service import Animatic
from storyreel.tasks.providers.provider import TaskStatus
from storyreel.tasks.providers.request import Attachment, Board, Request

LOREM = "The keeper walks along the causeway while the tide comes in over the stones, counting the steps aloud. "


def attachment(path: Path | str, kind: Any = "image", subject: str = "") -> Attachment:
    digest = f"url:{path}"
    if "://" not in str(path):
        # A file that does not exist has any digest.
        content = Path(path).read_bytes() if Path(path).is_file() else b""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Attachment(kind=kind, digest=digest, source=str(path), subject=subject)


def request(
    *,
    ratio: Any = "16:9",
    resolution: Any = "720p",
    fps: str = "24",
    frames: int = 8,
    first: Path | None = None,
    last: Path | None = None,
    references: Sequence[Attachment] = (),
    take: int = 1,
    **board: Any,
) -> Request:
    """A take of slate 1A in the lamp room; `board` changes what is written on its board."""
    film = Format(aspect_ratio=ratio, resolution=resolution, fps=FrameRate.parse(fps))
    words: dict[str, Any] = {
        "film": "The Keeper", "scene": "1 INT. LAMP ROOM - NIGHT", "slate": "1A", "size": "wide", "camera": "static",
        "action": "Mira climbs the last stair and stops.", "dialogue": (), "place": "Lamp room",
    }  # fmt: skip
    return Request(
        provider="animatic", model="animatic", mode=Mode.TEXT, prompt="", negative_prompt="", seed=1, take=take,
        seconds=film.fps.seconds(frames), aspect_ratio=ratio, resolution=resolution,
        width=film.size[0], height=film.size[1], references=tuple(references),
        first_frame=attachment(first) if first else None,
        last_frame=attachment(last) if last else None,
        board=Board(**{**words, **board, "frames": frames, "rate": film.fps}),
    )  # fmt: skip


def board_of(of: Request) -> Board:
    assert of.board is not None
    return of.board


async def drawn(of: Request, into: Path) -> Path:
    """The clip that the animatic draws."""
    await Animatic().fetch(of, TaskStatus(state="finished"), into, lambda fraction: None)
    return into


def frames_of(clip: Path) -> list[Image.Image]:
    with av.open(str(clip)) as file:
        return [frame.to_image() for frame in file.decode(video=0)]  # type: ignore[no-untyped-call]


def samples_of(clip: Path) -> int:
    """Samples that the container says are heard."""
    with av.open(str(clip)) as file:
        sound = file.streams.audio[0]
        assert sound.duration is not None and sound.time_base is not None
        return int(sound.duration * sound.time_base * 48_000)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures of one size, in levels of 255."""
    stat = ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L")))
    return float(stat.mean[0])


def landscape(path: Path, size: tuple[int, int] = (640, 360)) -> Path:
    """A picture without repetition, so that a shift of it can be told."""
    width, height = size
    picture = Image.linear_gradient("L").resize(size)
    for n in range(1, 60):
        spot = Image.new("L", (8 + n % 7 * 4, 6 + n % 5 * 5), 255 if n % 2 else 20)
        picture.paste(spot, (n * 7919 % width, n * n * 104_729 % height))
    picture.convert("RGB").save(path)
    return path
