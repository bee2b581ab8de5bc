"""The project's own flows."""

import asyncio
import json
from pathlib import Path

from prefect import flow
from tasks.films import film

import storyreel

FILMS = ["lantern", "harbour"]


@flow
async def one() -> int:
    made = await storyreel.render_storyboard("specs/lantern.yaml", out="films/one")
    return made.frames


@flow
async def gathered() -> list[int]:
    films = (storyreel.render_storyboard(f"specs/{name}.yaml", out=f"films/gathered/{name}") for name in FILMS)
    return [made.frames for made in await asyncio.gather(*films)]


@flow
def mapped() -> list[int]:
    return film.map(FILMS).result()


@flow
async def nightly(told: str) -> None:
    """Render a film; note how a film that must be approved, and one that would be bought, end."""
    made = await storyreel.render_storyboard("specs/lantern.yaml", out="films/nightly")
    ended = {"frames": made.frames}
    for name, provider in (("storm", None), ("harbour", "apiyi")):
        try:
            await storyreel.render_storyboard(f"specs/{name}.yaml", provider, out=f"films/{name}")
        except storyreel.StoryreelError as error:
            ended[name] = [type(error).__name__, error.message, error.hint, error.next]
    Path(told).write_text(json.dumps(ended))
