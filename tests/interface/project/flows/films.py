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
    """Render a film; note how one ends that must be approved, one that would be bought, and one over its budget."""
    made = await storyreel.render_storyboard("specs/lantern.yaml", out="films/nightly")
    ended = {"frames": made.frames}
    others = (
        ("to approve", "specs/storm.yaml", {}),
        ("to buy", "specs/harbour.yaml", {"provider": "apiyi"}),
        ("too dear", "specs/harbour.yaml", {"provider": "apiyi", "budget": "0.01 USD"}),
    )
    for what, storyboard, arguments in others:
        try:
            await storyreel.render_storyboard(storyboard, **arguments)
        except storyreel.StoryreelError as error:
            ended[what] = [type(error).__name__, error.message, error.hint, error.next]
    Path(told).write_text(json.dumps(ended))
