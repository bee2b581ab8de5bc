"""The project's own task: one film."""

from prefect import task

import storyreel


@task
async def film(storyboard: str) -> int:
    made = await storyreel.render_storyboard(f"specs/{storyboard}.yaml", out=f"films/mapped/{storyboard}")
    return made.frames
