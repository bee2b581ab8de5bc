"""Speaks lines with eSpeak NG, which keeps its state in the process and may end it: run it as a program of its own.

Reads one JSON object: `library`, `data`, and `lines` with `text`, `voices` (the first that there is), `room` (seconds,
or 0 for as long as it takes) and `file`, a WAV that is written. Prints the seconds of each line. Imports the standard
library alone, as it is started without this package.
"""

from __future__ import annotations

import ctypes
import json
import sys
import wave
from typing import Any

_RETRIEVAL, _RATE, _UTF8 = 2, 1, 1
"""AUDIO_OUTPUT_SYNCHRONOUS without a device, espeakRATE, espeakCHARS_UTF8: espeak-ng/speak_lib.h, 1.52, 2026-11-29."""
_NORMAL, _FASTEST = 160, 340
"""Words a minute."""


def main() -> None:
    """Speak what standard input asks for."""
    asked = json.loads(sys.stdin.buffer.read())
    library = ctypes.CDLL(asked["library"])
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    hertz = int(library.espeak_Initialize(_RETRIEVAL, 0, asked["data"].encode() or None, 0))
    if hertz <= 0:
        sys.exit(f"its data are not in {asked['data'] or 'their folder'}")
    heard = bytearray()

    def listen(samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            heard.extend(ctypes.string_at(samples, 2 * count))
        return 0

    # It is called as long as this name holds it.
    listener = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)(listen)
    library.espeak_SetSynthCallback(listener)

    seed = getattr(library, "espeak_ng_SetRandSeed", None)  # since 1.52
    if seed is None and sys.platform != "win32":
        seed = ctypes.CDLL(None).srand

    def speak(text: str, words_a_minute: int) -> float:
        heard.clear()
        if seed:
            # Its breath is noise, which begins with the time of day.
            seed(1)
        library.espeak_SetParameter(_RATE, words_a_minute, 0)
        spoken = text.encode("utf-8", "replace")
        if library.espeak_Synth(spoken, len(spoken) + 1, 0, 1, 0, _UTF8, None, None):
            sys.exit("it does not speak")
        return len(heard) / 2 / hertz

    lengths = []
    for line in asked["lines"]:
        if all(library.espeak_SetVoiceByName(voice.encode()) for voice in line["voices"]):
            sys.exit(f"it has none of the voices {', '.join(line['voices'])}")
        seconds = speak(line["text"], _NORMAL)
        if line["room"] and seconds > line["room"]:
            seconds = speak(line["text"], min(_FASTEST, round(_NORMAL * seconds / line["room"] * 1.04)))
        with wave.open(line["file"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(hertz)
            file.writeframes(heard)
        lengths.append(seconds)
    json.dump(lengths, sys.stdout)


if __name__ == "__main__":
    main()
