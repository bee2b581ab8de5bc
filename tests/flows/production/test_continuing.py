"""Takes that are made with the clip of another: what goes to the service, and what of the answer is in the film."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.render import render_storyboard
from storyreel.tasks.media.probe import probe
from tests.flows.selling import selling
from tests.services.dashscope import Dashscope
from tests.services.jobs import Phase, Script
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 30}
defaults: {provider: dashscope, duration: 2s}
shots:
  - {shot: 1A, action: One waits., duration: 3s, edit: {instruction: Make it dusk}}
  - {shot: 1B, action: Two turns., continues: {shot: 1A, with: clip}, transition: {type: dissolve, duration: 10f}}
"""


def ramp(into: Path, frames: int, first: int = 0) -> Path:
    """Frame n has luma 40 + first + n, and a tone that is as long."""
    return make_clip(
        into, frames=frames, fps="30", size="480x270", picture="color=black",
        filters=f"geq=lum='40+{first}+N':cb=128:cr=128", options=("-crf", "4"), sound="sine=440",
    )  # fmt: skip


def numbers(clip: Path) -> list[int]:
    """The numbers of the frames of `ramp` in a clip."""
    with av.open(str(clip)) as file:
        return [
            round(bytes(frame.planes[0])[frame.planes[0].line_size * (frame.height * 7 // 8)] - 40)
            for frame in file.decode(video=0)
        ]


async def test_a_clip_goes_on_from_the_end_of_an_edited_one_and_none_of_it_is_in_the_film_twice(tmp_path: Path) -> None:
    """The edit is in the cut, in the place of the take that it is of, and is what the next shot goes on from."""
    service = SERVICES["dashscope"].emulated()
    assert isinstance(service, Dashscope)
    # The second begins with the last two seconds of the first, as the service makes it.
    clips = {
        "One": ramp(tmp_path / "before.mp4", 90, first=100),
        "dusk": ramp(tmp_path / "edited.mp4", 90),
        "Two": ramp(tmp_path / "two.mp4", 120, first=30),
    }
    for word, clip in clips.items():
        script = Script(waiting=0, running=0, delivers=clip)
        service.use_script(script, when=lambda order, word=word: word in order.prompt)  # type: ignore[misc]
    with selling(service):
        (tmp_path / "film.yaml").write_text(FILM)
        made = await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)
        again = await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), agreed=[])
        assert again.frames == made.frames
    _, edit, second = service.accepted
    assert [one.order.model for one in service.accepted] == ["wan2.7-t2v", "wan2.7-videoedit", "wan2.7-i2v"]
    assert edit.body["input"]["prompt"] == "Make it dusk." and edit.body["parameters"]["audio_setting"] == "origin"
    (item,) = edit.body["input"]["media"]
    assert item["type"] == "video" and edit.body["parameters"]["duration"] == 0, "all of it"
    assert service.stored(item["url"]) == clips["One"].read_bytes(), "the clip of the take, as it is"
    assert second.body["parameters"]["duration"] == 4, "two seconds of the clip before, and two new ones"
    (item,) = second.body["input"]["media"]
    assert item["type"] == "first_clip"
    sent = tmp_path / "sent.mp4"
    sent.write_bytes(service.stored(item["url"]) or b"")
    assert probe(sent).frames == 60 and probe(sent).has_sound
    assert all(abs(seen - number) <= 1 for seen, number in zip(numbers(sent), range(30, 90), strict=True))
    seen = numbers(made.sequence)
    assert len(seen) == made.frames == 150
    # The handles of the dissolve are the frames of the new clip at the same times, so that it is not seen.
    expected = [*range(90), *range(90, 150)]
    held = range(90, 95)  # the clip before has none after its last, and goes on with that
    assert all(abs(seen[at] - expected[at]) <= (5 if at in held else 2) for at in range(150)), seen


async def test_an_edit_of_a_take_that_failed_is_not_ordered_and_says_so(tmp_path: Path) -> None:
    service = SERVICES["dashscope"].emulated(script=Script(waiting=0, running=0, end=Phase.FAILED))
    with selling(service):
        (tmp_path / "film.yaml").write_text(FILM)
        with pytest.raises(ShotsFailed, match=r"not made, because it edits 1A take 1"):
            await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"), buy=True)
    assert [one.order.model for one in service.accepted] == ["wan2.7-t2v"]
