from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import ffmpeg
import psutil
import pytest
from ffmpeg.nodes import OutputStream

from storyreel.tasks.media.binary import Binary, find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import command_line, run


def _picture(into: Path, frames: int = 24, size: str = "64x64") -> OutputStream:
    source = ffmpeg.input(f"testsrc2=size={size}:rate=24", f="lavfi")
    return ffmpeg.output(source, str(into), **{"frames:v": frames, "c:v": "libx264", "preset": "veryfast"})


def _endless(into: Path) -> OutputStream:
    return _picture(into, frames=10**7, size="640x360")


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "ffmpeg" in child.name()]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def test_progress_rises_to_one(tmp_path: Path) -> None:
    reported: list[float] = []
    await run(_picture(tmp_path / "a.mp4", 600), frames=600, progress=reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == 1.0
    assert (tmp_path / "a.mp4").stat().st_size > 0


async def test_progress_of_sound_is_measured_in_seconds(tmp_path: Path) -> None:
    reported: list[float] = []
    sound = ffmpeg.input("sine=duration=20", f="lavfi")
    await run(ffmpeg.output(sound, str(tmp_path / "a.m4a")), seconds=Fraction(20), progress=reported.append)
    assert reported[-1] == 1.0
    assert all(0 <= done <= 1 for done in reported)


async def test_several_outputs_are_written_in_one_run(tmp_path: Path) -> None:
    await run(ffmpeg.merge_outputs(_picture(tmp_path / "a.mp4"), _picture(tmp_path / "b.mp4", 12)))
    assert (tmp_path / "a.mp4").exists()
    assert (tmp_path / "b.mp4").exists()


async def test_an_error_has_the_output_of_ffmpeg(tmp_path: Path) -> None:
    missing = ffmpeg.input(str(tmp_path / "nothing.mp4"))
    with pytest.raises(MediaError, match=r"(?s)exit \d+.*a\.mp4.*nothing\.mp4") as failed:
        await run(ffmpeg.output(missing, str(tmp_path / "a.mp4")))
    assert failed.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
async def test_a_full_disk_is_told_in_a_line() -> None:
    picture = ffmpeg.input("testsrc2=size=640x360:rate=24", f="lavfi")
    with pytest.raises(MediaError) as failed:
        await run(ffmpeg.output(picture, "/dev/full", **{"frames:v": 24, "f": "rawvideo"}))
    assert failed.value.message == "ffmpeg could not write: no space left on device"
    assert "STORYREEL_HOME" in failed.value.hint


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(MediaError("what and where", hint="what next")))
    assert (error.message, error.hint, str(error)) == ("what and where", "what next", "what and where; what next")


async def test_cancelling_ends_the_child(tmp_path: Path) -> None:
    running = asyncio.create_task(run(_endless(tmp_path / "a.mp4")))
    await _until(lambda: bool(_children()))
    cancelled = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not _children()
    assert time.monotonic() - cancelled < 3


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = tmp_path / "ffmpeg"
    deaf.write_text(f"#!{psutil.Process().exe()}\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                    f"open({str(tmp_path / 'ready')!r}, 'w')\ntime.sleep(60)\n")  # fmt: skip
    deaf.chmod(0o755)
    monkeypatch.setattr("storyreel.tasks.media.ffmpeg.find_ffmpeg", lambda: Binary(deaf, "9.0"))
    running = asyncio.create_task(run(_picture(tmp_path / "a.mp4")))
    await _until((tmp_path / "ready").exists)
    cancelled = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - cancelled < 3
    assert not [c for c in psutil.Process().children() if str(deaf) in c.cmdline()]


async def test_no_more_children_run_than_there_are_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(_children()))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(run(_picture(tmp_path / f"{n}.mp4", 200, "320x180")) for n in range(4)))
    watching.cancel()
    assert most == 1


def test_each_event_loop_has_its_own_limit(tmp_path: Path) -> None:
    for number in range(3):
        asyncio.run(run(_picture(tmp_path / f"{number}.mp4", 2)))
    assert len(list(tmp_path.iterdir())) == 3


async def test_a_long_graph_is_passed_in_a_file(tmp_path: Path) -> None:
    picture = ffmpeg.input("testsrc2=size=64x64:rate=24", f="lavfi")
    for _ in range(40):
        picture = picture.filter("drawbox", color="white", enable="+".join(["between(n,1,3)"] * 20))
    output = ffmpeg.output(picture, str(tmp_path / "a.mp4"), **{"frames:v": 2})
    with command_line(output, find_ffmpeg()) as command:
        assert "-filter_complex" not in command
        assert max(map(len, command)) < 1_000
    await run(output)
    assert (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(("version", "option"), [("5.1.9", "-filter_complex_script"), ("9.0.2", "-/filter_complex")])
def test_a_graph_file_is_named_as_the_version_spells_it(tmp_path: Path, version: str, option: str) -> None:
    picture = ffmpeg.input("testsrc2", f="lavfi").filter("drawtext", text="x" * 10_000)
    with command_line(ffmpeg.output(picture, str(tmp_path / "a.mp4")), Binary(Path("ffmpeg"), version)) as command:
        graph = Path(command[command.index(option) + 1])
        assert "x" * 10_000 in graph.read_text()
    assert not graph.exists()
