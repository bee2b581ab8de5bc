"""One film, one hosted service, one home, and the real command run on them again and again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import State
from tests.flows.warm import Run, begin
from tests.pauses import PATIENCE
from tests.services.emulator import Emulator

STORYREEL = Path(sys.executable).with_name("storyreel")


class Stage:
    """A folder with a film, the service that makes it, and the environment of the command."""

    def __init__(
        self, folder: Path, film: str, service: Emulator[Any], variables: dict[str, str], ledger_url: str = ""
    ) -> None:
        self.folder, self.film, self.service = folder, film, service
        self.environment = {
            "STORYREEL_POLL_SECONDS": "0.05",
            **variables,
            "STORYREEL_HOME": str(folder / "home"),
            "STORYREEL_LEDGER_URL": ledger_url,
        }
        (folder / "film.yaml").write_text(film)
        self.deliverable = ""
        """The one that runs make."""

    def start(self, out: str = "out", step: str = "") -> Run:
        """Begin a run; it dies at `step`, if one is given."""
        return begin(self.render(out), self.folder, self.environment, step)

    def start_cold(self, out: str = "out") -> subprocess.Popen[str]:
        """Begin a run as a user does: the command itself, that imports everything first."""
        return subprocess.Popen(
            [STORYREEL, *self.render(out)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def render(self, out: str = "out") -> list[str]:
        """The arguments of the command; the draft is made if the film has one."""
        draft = ["--draft"] if "draft:" in self.film else []
        named = ["--deliverable", self.deliverable] if self.deliverable else []
        return ["render", "film.yaml", "--json", "--yes", "--out", out, *draft, *named]

    def run(self, *, cold: bool = False) -> tuple[int, str, str]:
        """Run to the end: exit code, output, messages."""
        run = self.start_cold() if cold else self.start()
        out, err = run.communicate(timeout=PATIENCE)
        assert run.returncode is not None
        return run.returncode, out, err

    def die_at(self, step: str) -> None:
        """Run, and be killed at a step; see `dying`."""
        run = self.start(step=step)
        run.communicate(timeout=PATIENCE)
        assert run.returncode == -signal.SIGKILL, f"it was never at {step}"

    def states(self) -> list[State]:
        """The states of all purchases in the ledger."""
        home = Home.of(self.environment)
        if not home.has_ledger:
            return []
        ledger = home.ledger()
        try:
            return [purchase.state for purchase in ledger.list()]
        finally:
            ledger.close()

    @property
    def bought(self) -> list[str]:
        """The orders that the service has accepted."""
        return [json.dumps(sale.body, sort_keys=True) for sale in self.service.accepted]

    def assert_nothing_was_bought_twice(self) -> None:
        """No two accepted orders are the same; every take has a seed of its own."""
        assert len(self.bought) == len(set(self.bought)), "one take was ordered twice"


@contextmanager
def staged(
    folder: Path, film: str, service: Emulator[Any], variables: Mapping[str, str], ledger_url: str = ""
) -> Iterator[Stage]:
    """The stage of a service, for as long as that is open."""
    name = type(service).__name__.upper()
    with service.served(port=0) as base_url:
        at = {f"{name}_API_KEY": "sk-emulator", f"{name}_BASE_URL": base_url}
        yield Stage(folder, film, service, {**variables, **at}, ledger_url)
