"""The cost of a film's level: its sound measured, brought to a loudness and limited, against its encoding alone.

    uv run --group bench python -m benchmarks.films.level                 ten minutes of film, about two minutes
    uv run --group bench python -m benchmarks.films.level --minutes 2

Prints two tables in Markdown. Speech that is noise and tones by a formula lies under music that gives way to it; the
seconds are the processor's. The second table has what AAC makes of true peaks that were limited, by ffmpeg's own meter.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

import ffmpeg

from benchmarks.films.join import machine, processor_seconds
from benchmarks.films.sound import SIGNALS
from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.join.pieces import HouseCache, SoundPiece
from storyreel.tasks.join.sound.encode import encode_sound
from storyreel.tasks.join.sound.layers import FilmSound, Master, SoundLayer
from storyreel.tasks.join.sound.level import LevelledSound, blocks, encode_at_level, measure_block
from storyreel.tasks.join.sound.mix import MixedSound, mixed_sound
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.pcm import BYTES_A_SAMPLE
from tests.tasks.raw_samples import RawSamples

RATE = FrameRate.parse("24")
SHOT = 5
"""Seconds of the shot that is changed."""


def generated(graph: str, seconds: int) -> bytes:
    """Raw samples of a graph of ffmpeg."""
    command = [str(find_ffmpeg().path), "-v", "error", "-f", "lavfi", "-i", graph, "-t", str(seconds)]
    form = ["-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-"]
    return subprocess.run([*command, *form], capture_output=True, check=True).stdout


def with_changed_shot(film: RawSamples) -> RawSamples:
    """The film with the sound of one shot in its middle played backwards, which is as loud."""
    start = film.length // 2 * BYTES_A_SAMPLE
    end = start + SHOT * SAMPLE_RATE * BYTES_A_SAMPLE
    backwards = array("i", film.content[start:end])[::-1].tobytes()
    return RawSamples(film.content[:start] + backwards + film.content[end:])


async def costs(minutes: int, folder: Path) -> list[str]:
    """The lines of the first table."""
    seconds = 60 * minutes
    film = RawSamples(generated(SIGNALS["speech"], seconds))
    music = folder / "music.wav"
    graph = f"{SIGNALS['pink noise']},tremolo=f=2:d=0.7"
    await run(ffmpeg.output(ffmpeg.input(graph, f="lavfi", t=120).audio, str(music)))
    layer = SoundLayer(file=music, gain=-14, start=0, end=24 * seconds, duck="speech")
    lines = tuple((24 * start, 24 * (start + 6)) for start in range(0, seconds, 10))
    sound, cache = FilmSound(layers=(layer,), lines=lines), HouseCache(folder)

    async def mix(samples: RawSamples) -> MixedSound:
        return await mixed_sound(samples, sound, RATE, cache)

    whole, changed = await mix(film), await mix(with_changed_shot(film))
    rows: list[tuple[str, float]] = []
    began = processor_seconds()

    def note(what: str) -> None:
        nonlocal began
        rows.append((what, processor_seconds() - began))
        began = processor_seconds()

    await encode_sound(film, cache)
    note("the sound of the clips, encoded in pieces")
    await encode_sound(whole, cache)
    note("the same under music that gives way")
    await asyncio.gather(*(measure_block(whole, block, cache) for block in blocks(whole.length)))
    note("measured, while takes are made")
    _, first = await encode_at_level(whole, Master(-14, -1), cache)
    note(f"brought to {first.loudness:.1f} LUFS, {first.peak:.1f} dBTP, by {first.gain:+.1f} dB")
    await encode_at_level(whole, Master(-14, -1), cache)
    note("again, nothing changed")
    _, second = await encode_at_level(changed, Master(-14, -1), cache)
    note(f"one shot changed, the gain {second.gain:+.1f} dB")
    await encode_at_level(whole, Master(-16, -1), cache)
    note("another loudness, and so another gain")
    return [f"| {what} | {took:.1f} s | {took / rows[0][1]:.2f} |" for what, took in rows]


def true_peak(pieces: list[SoundPiece], folder: Path) -> float:
    """dBTP of encoded pieces."""
    names = folder / "pieces.txt"
    names.write_text("".join(f"file '{piece.sound}'\n" for piece in pieces))
    meter = ["-f", "concat", "-safe", "0", "-i", str(names), "-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run([str(find_ffmpeg().path), "-nostdin", *meter], capture_output=True, text=True, check=True)
    (peak,) = re.findall(r"Peak:\s+(\S+) dBFS", told.stderr.rpartition("Summary:")[2])
    return float(peak)


async def overshoot(name: str, folder: Path) -> str:
    """A line of the second table: a signal 10 dB above full scale, limited to -2 dBTP, and encoded."""
    samples = generated(SIGNALS[name], 20)
    cache = HouseCache(folder)
    limited = LevelledSound(await mixed_sound(RawSamples(samples), FilmSound(), RATE, cache), 10.0, -2.0, [0.0, 0.0])
    peak = true_peak(await encode_sound(limited, cache), folder)
    return f"| {name} | {peak:.1f} | {peak + 2:.1f} |"


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--minutes", type=int, default=10)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(
            f"{machine()}\n\n| {chosen.minutes} minutes of sound | processor | to its encoding |\n|---|---:|---:|\n"
        )
        for line in asyncio.run(costs(chosen.minutes, Path(name))):
            sys.stdout.write(line + "\n")
        sys.stdout.write("\n| limited to -2 dBTP | dBTP in AAC | above |\n|---|---:|---:|\n")
        for signal in SIGNALS:
            sys.stdout.write(asyncio.run(overshoot(signal, Path(name))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
