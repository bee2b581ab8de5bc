"""An emulator can run as a process of its own, which outlives its clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx


def test_an_emulator_runs_by_itself() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.services", "freepik"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base_url, key = process.stdout.readline().split(" key=")
            reply = httpx.post(
                f"{base_url}/v1/ai/text-to-video/wan-2-7",
                json={"prompt": "Rain."},
                headers={"x-freepik-api-key": key.strip()},
            )
            assert reply.json()["data"]["status"] == "CREATED"
        finally:
            process.kill()
