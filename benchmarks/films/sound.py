"""The cost of the encoder of the film's sound at constant quality and at a bit rate, and whether pieces have seams.

    uv run python -m benchmarks.films.sound        some minutes

Prints a table in Markdown. Each signal is encoded as a whole, and in pieces with the project's run-up; errors are those
of the left channel against the source, in 16-bit steps (RMS). At a seam they are measured over three packets.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
import time
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from unittest import mock

import av

from storyreel.tasks.join.sound import encode as sound_pieces
from storyreel.tasks.join.sound.encode import Stretch, stretches
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.pcm import AAC_FRAME, BYTES_A_SAMPLE

SECONDS = 33
PIECE = 128
"""Packets, a quarter of the project's, so that there are more seams."""
SIGNALS = {
    "pink noise": "anoisesrc=color=pink:amplitude=0.5:seed=1:r=48000,aformat=channel_layouts=stereo",
    "swept tone": "aevalsrc=0.4*sin(2*PI*(40*t+225*t*t))|0.4*sin(2*PI*(60*t+210*t*t)):s=48000",
    "tones": "aevalsrc=0.2*sin(2*PI*440*t)+0.2*sin(2*PI*1000*t)|0.3*sin(2*PI*300*t):s=48000",
    "speech": "aevalsrc=(0.3*sin(2*PI*(120+20*sin(4*t))*t)+0.15*sin(2*PI*(1200+300*sin(12*t))*t)"
    "+0.1*(random(0)-0.5))*max(0\\,sin(19*t))|0.1*(random(1)-0.5)*max(0\\,sin(19*t)):s=48000",
    "clicks": "aevalsrc=if(lt(mod(t\\,0.25)\\,0.002)\\,0.7\\,0)|if(lt(mod(t\\,0.31)\\,0.002)\\,0.7\\,0):s=48000",
}


def quality(value: float) -> dict[str, str]:
    """The options of ffmpeg's `-q:a`."""
    return {"flags": "+qscale+bitexact", "global_quality": str(int(118 * value))}


ENCODERS: dict[str, dict[str, str]] = {
    "192 kb/s": {"flags": "+bitexact", "b": "192k"},
    **{f"quality {value}": quality(value) for value in (1, 1.3, 1.4, 1.5, 1.6, 2)},
}


def encoded(samples: bytes, places: Iterable[Stretch], options: Mapping[str, str], folder: Path) -> list[bytes]:
    """The packets of all pieces."""
    file, packets = folder / "sound.nut", []
    with mock.patch.object(sound_pieces, "_ENCODER", options):
        for place in places:
            part = samples[place.start * BYTES_A_SAMPLE : place.end * BYTES_A_SAMPLE]
            sound_pieces._encode(part, place, file, lambda done: None)
            with av.open(str(file)) as opened:
                packets += [bytes(packet) for packet in opened.demux(audio=0) if packet.size]
    return packets


def errors(source: array[int], packets: Iterable[bytes], folder: Path) -> list[float]:
    """The mean square of the error of each packet's samples, in 16-bit steps."""
    heard = array("f")
    with av.open(str(folder / "sound.nut")) as opened:
        for packet in packets:
            for frame in opened.streams.audio[0].codec_context.decode(av.Packet(packet)):
                heard.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    left, heard = source[::2], heard[AAC_FRAME:]
    return [
        sum((left[n] - 32_768 * heard[n]) ** 2 for n in range(start, start + AAC_FRAME)) / AAC_FRAME
        for start in range(0, len(left) - AAC_FRAME, AAC_FRAME)
    ]


def row(encoder: str, signal: str, samples: bytes, folder: Path) -> str:
    """A line of the table."""
    options, source, length = ENCODERS[encoder], array("h", samples), len(samples) // BYTES_A_SAMPLE
    total = -(-length // AAC_FRAME) + 1
    began = time.process_time()
    whole = encoded(samples, [Stretch(0, length, 0, total)], options, folder)
    took = (time.process_time() - began) * 200 / SECONDS
    with mock.patch.object(sound_pieces, "_PACKETS", PIECE):
        pieces = encoded(samples, stretches(length), options, folder)
    seams = range(PIECE, len(whole), PIECE)
    of_whole, of_pieces = (errors(source, packets, folder) for packets in (whole, pieces))

    def at_seams(squares: list[float]) -> list[float]:
        return [sum(squares[seam - 2 : seam + 1]) / 3 for seam in seams]

    worst = max(math.sqrt(b / max(a, 1)) for a, b in zip(at_seams(of_whole), at_seams(of_pieces), strict=True))
    equal = sum(whole[seam - 1 : seam + 1] == pieces[seam - 1 : seam + 1] for seam in seams)
    rate = sum(map(len, whole)) * 8 / SECONDS / 1000
    mean = math.sqrt(sum(of_whole) / len(of_whole))
    return f"| {encoder} | {signal} | {took:.1f} | {rate:.0f} | {mean:.0f} | {worst:.2f} | {equal} of {len(seams)} |"


def main() -> None:
    """The command line."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print("| encoder | signal | processor, s for 200 s | kb/s | error | worst seam, to the whole | equal seams |")
    print("|---|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        for signal, graph in SIGNALS.items():
            command = [str(find_ffmpeg().path), "-v", "error", "-f", "lavfi", "-i", graph, "-t", str(SECONDS)]
            samples = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=True).stdout
            for encoder in ENCODERS:
                print(row(encoder, signal, samples, Path(name)), flush=True)


if __name__ == "__main__":
    main()
