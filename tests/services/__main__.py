"""One emulator as a process of its own: `python -m tests.services aimlapi --port 8080`."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping

from tests.services.aimlapi import Aimlapi
from tests.services.apiyi import Apiyi
from tests.services.dashscope import Dashscope
from tests.services.emulator import Emulator
from tests.services.freepik import Freepik

SERVICES: Mapping[str, type[Aimlapi | Apiyi | Dashscope | Freepik]] = {
    each.name: each for each in (Aimlapi, Apiyi, Dashscope, Freepik)
}


def main() -> None:
    """Serve until interrupted; the first line printed is the base URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    emulator: Emulator = SERVICES[chosen.service]()
    with emulator.served(chosen.port) as base_url:
        print(base_url, f"key={emulator.settings.key}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(emulator.accepted)} creates were accepted", flush=True)


if __name__ == "__main__":
    main()
