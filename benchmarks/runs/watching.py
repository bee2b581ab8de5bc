"""The cost of a run that can be watched: states that pass, artifacts and events, against a run without them.

    uv run python -m benchmarks.runs.watching [--shots 100] [--seconds 5]

Each shot is made by an emulated service of this machine that takes SECONDS for it; the film is cut without encoding.
All runs report to one Prefect server, and each has an empty home. The processor's time is that of the run's process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PREFECT_HOME": folder, "PREFECT_LOGGING_LEVEL": "ERROR", "STORYREEL_POLL_SECONDS": "1"}
        from storyreel.flows.servers.choose import report_to_server, set_prefect_defaults
        from tests.services.apiyi import Apiyi, ApiyiSettings
        from tests.services.jobs import Script

        set_prefect_defaults()
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
        print("| run | wall s | processor s |\n|---|---|---|")
        service = Apiyi(ApiyiSettings(script=Script(waiting=1, seconds=options.seconds)))
        with service.served() as base_url, report_to_server():
            os.environ |= {"APIYI_BASE_URL": base_url, "APIYI_API_KEY": "sk-emulator"}
            _render(Path(folder) / "first", 1)  # the first flow of a process pays for imports and connections
            for name, watched in (("not watched", False), ("watched", True), ("not watched", False), ("watched", True)):
                with patch("storyreel.flows.render.observe_run", _unseen) if not watched else _as_it_is():
                    wall, processor = _render(Path(folder) / f"{name} {time.time()}", options.shots)
                print(f"| {name} | {wall:.2f} | {processor:.2f} |", flush=True)


def _render(folder: Path, shots: int) -> tuple[float, float]:
    from storyreel.flows.render import render_storyboard

    os.environ["STORYREEL_HOME"] = str(folder / "home")
    lines = "\n".join(f"  - {{shot: {n}, action: Ana walks by.}}" for n in range(1, shots + 1))
    folder.mkdir()
    (folder / "film.yaml").write_text(
        f"storyboard: 1\ntitle: {folder.name}\ndefaults: {{provider: apiyi, duration: 2s}}\nshots:\n{lines}\n"
    )
    wall, processor = time.perf_counter(), time.process_time()
    asyncio.run(render_storyboard(str(folder / "film.yaml"), out=str(folder / "out"), buy=True))
    return time.perf_counter() - wall, time.process_time() - processor


class _NoObserver:
    async def publish_film(self, *_: Any) -> None:
        """Publishes nothing."""


@asynccontextmanager
async def _unseen(*_: Any) -> AsyncIterator[_NoObserver]:
    yield _NoObserver()


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


if __name__ == "__main__":
    main()
