"""A film's flow deployed on a server, and its runs executed attempt by attempt, as by a worker."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import State
from prefect.deployments.runner import EntrypointType
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow_async
from prefect.settings import PREFECT_API_URL

from storyreel.flows.commands.options import plan_of
from storyreel.flows.names import film_tag
from storyreel.flows.planning.model import takes_by_shot
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.slots import service_limits
from storyreel.flows.render import render_storyboard
from storyreel.flows.review.model import review_state
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import NewVerdict, Word
from storyreel.tasks.providers import load
from tests.flows import warm
from tests.flows.selling import selling
from tests.services.emulator import Emulator
from tests.tasks.providers.hosted_services import SERVICES

_PATIENCE = 120

FILM = """\
storyboard: 1
title: The Keeper
review: required
format: {fps: 12}
defaults: {provider: apiyi, duration: 6f}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1.B-2, action: She waits.}
"""
TWO_SECONDS = Decimal("0.168")
NO_REVIEW = FILM.replace("review: required\n", "")
APPROVED = {"decision": "approve"}


class Deployed:
    """A deployment of one film. Its runs are executed in this process, or each attempt in a process of its own."""

    def __init__(self, deployment: UUID, folder: Path, is_apart: bool) -> None:
        self.id, self._folder, self._is_apart = deployment, folder, is_apart

    @classmethod
    async def of(cls, file: Path, title: str, is_apart: bool = False, **parameters: Any) -> Deployed:
        """Deploy a storyboard; its films go into the folder beside it."""
        film = plan_of(RunRequest(storyboard=file)).plan
        await service_limits.ensure_limits((name for name in film.services if load(name).paid), {})
        deployment = await render_storyboard.ato_deployment(
            name=file.parent.name,
            parameters={"storyboard": str(file), "out": str(file.parent / "out"), **parameters},
            tags=["storyreel", film_tag(title)],
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        return cls(await deployment.aapply(), file.parent, is_apart)

    async def begin(self, **given: Any) -> UUID:
        """Ask for a run, and execute it until it ends or is suspended; `given` are values of its form."""
        async with get_client() as client:
            run = await client.create_flow_run_from_deployment(self.id, parameters=given)
        await self.go_on(run.id)
        return run.id

    async def go_on(self, run: UUID) -> None:
        """Execute a run from the top, as is done with one that is due."""
        if self._is_apart:
            await self._go_on_apart(run)
            return
        async with get_client() as client:
            flow_run = await client.read_flow_run(run)
        with suppress(Pause):
            await run_flow_async(
                render_storyboard, flow_run=flow_run, parameters=flow_run.parameters, return_type="state"
            )

    async def resume(self, run: UUID, answer: Mapping[str, Any]) -> None:
        """Answer a run's form, and execute the run again."""
        async with get_client() as client:
            result = await client.resume_flow_run(run, run_input=dict(answer))
        assert result.status.value == "ACCEPT", result.details
        await self.go_on(run)

    async def state(self, run: UUID) -> State[Any]:
        """The state of a run."""
        async with get_client() as client:
            state = (await client.read_flow_run(run)).state
        assert state
        return state

    async def asked(self, run: UUID, number: int) -> str:
        """The text and schema of the form for a run's question."""
        async with get_client() as client:
            keys = [f"suspended-approval-{number}-{part}" for part in ("description", "schema")]
            return "\n".join([await client.read_flow_run_input(run, key) for key in keys])

    async def _go_on_apart(self, run: UUID) -> None:
        log = self._folder / "attempts.log"
        variables = {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT_HOME": str(self._folder / "prefect")}
        process = warm.python(
            ["-P", "-m", "prefect", "flow-run", "execute", str(run)],
            self._folder, {**os.environ, **variables}, log, starts_runs=True,
        )  # fmt: skip
        try:
            await asyncio.to_thread(process.wait, _PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"the run never came to an end:\n{log.read_text()}") from None


class Set:
    """A film, and the service that it is bought from."""

    def __init__(self, folder: Path, apiyi: Emulator[Any]) -> None:
        self.folder, self.apiyi = folder, apiyi
        self.file, self.film = folder / "film.yaml", folder / "out" / "sequence.mp4"

    async def deployed(self, film: str = FILM, title: str = "The Keeper", **parameters: Any) -> Deployed:
        """The film, as it says and as it is called."""
        self.file.write_text(film.replace("The Keeper", title))
        return await Deployed.of(self.file, title, **parameters)

    @property
    def sold(self) -> int:
        """Orders that the service accepted, of which no two are the same."""
        bodies = [json.dumps(sale.body, sort_keys=True) for sale in self.apiyi.accepted]
        assert len(bodies) == len(set(bodies)), "one take was ordered twice"
        return len(bodies)

    def words(self) -> dict[str, str | None]:
        """The review state of each shot."""
        takes = takes_by_shot(plan_of(RunRequest(storyboard=self.file)).plan.takes)
        return {slate: review_state(those) for slate, those in takes.items()}

    def say(self, slate: str, take: int, word: Word) -> None:
        """Note a verdict on a take, as the command line does."""
        planned = takes_by_shot(plan_of(RunRequest(storyboard=self.file)).plan.takes)[slate][take - 1]
        said = NewVerdict(key=planned.key, film="The Keeper", slate=slate, take=take, word=word)
        with closing(Home.of().ledger()) as ledger:
            ledger.add_verdicts([said])


@contextmanager
def on_a_set(folder: Path) -> Iterator[Set]:
    """A set in a folder, with its service."""
    apiyi = SERVICES["apiyi"].emulated()
    with selling(apiyi):
        yield Set(folder, apiyi)
