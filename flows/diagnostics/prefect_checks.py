"""Checks of the Prefect side: the command `prefect`, the server, and what keeps deployed films from being rendered."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from storyreel.flows.diagnostics import connectivity
from storyreel.flows.diagnostics.check import Check
from storyreel.flows.servers.kept import kept_server
from storyreel.flows.servers.local import recorded_server
from storyreel.flows.servers.prefect_settings import NamedServer, prefect_command
from storyreel.flows.servers.survey import DeployedFilm, Pool, SlotLimit, Survey, speaking_to, survey
from storyreel.specs.problems.phrases import abridged, counted, shown
from storyreel.specs.secrets import hidden
from storyreel.tasks.home import Home
from storyreel.tasks.storage.bucket import without_password

_SECONDS = 15
"""Time for all questions to a server."""
_RELEASE_SECONDS = 60
"""Time for finding places that no run holds, which looks several times."""
_LISTED = 4
"""Films that a line names."""


def check_prefect(environment: Mapping[str, str], *, offline: bool) -> Iterator[Check]:
    """Check the command `prefect` and the server, and if that answers, what it has of Storyreel."""
    yield from _command(environment)
    server = connectivity.check_prefect_server(ask=not offline)
    if server is None:
        detail = "a run starts its own, and its record stays on this machine"
        if kept := kept_server(environment):
            detail += f"; that of the last run, process {kept.process.pid}, is kept for the next one"
        fix = f"storyreel ui (to see runs){', storyreel ui --stop (to end that server)' if kept else ''}"
        yield Check("prefect server", "ok", detail, fix=fix)
        return
    named = connectivity.server_in_settings()
    if named and server.problem:
        fix = f"{'storyreel ui' if named.port else 'start that server'}, or {named.remedy}"
        yield Check("prefect server", "missing", f"{server.address} {server.problem}; {named.where} names it", fix)
        return
    if offline:
        yield Check("prefect server", "ok", f"{server.address}, not asked")
        return
    try:
        api = named.api if named else server.address
        found = asyncio.run(survey(api, _SECONDS))
    except TimeoutError:
        detail = f"{server.address} answers, but not to all questions in {_SECONDS} s"
        yield Check("prefect server", "note", detail, fix="storyreel doctor again when it is less busy")
        return
    except Exception as error:  # whatever the client raises at an answer that it does not understand
        detail = f"{server.address} answers, but cannot be asked: {_in_words(error)}"
        yield Check("prefect server", "note", detail, fix=f"a server with Prefect {metadata.version('prefect')}")
        return
    yield _version(server.address, Version(found.version))
    yield from _same_server(api, named, environment)
    with speaking_to(api):  # which the commands that are given must name, if the settings do not
        yield from _late_ends(environment)
        yield from _deployed(found)


def _in_words(error: Exception) -> str:
    return shown(hidden(f"{type(error).__name__}: {error}"), 120)


def _command(environment: Mapping[str, str]) -> Iterator[Check]:
    """Nothing, or what is wrong with the `prefect` that a shell finds."""
    name, ours = "prefect command", Path(sys.executable).parent
    found = shutil.which("prefect", path=environment.get("PATH"))
    fix = f'export PATH="{ours}:$PATH"'
    if found is None:
        yield Check(name, "note", "`prefect` is not on PATH; workers and pools need it", fix)
    elif Path(found).parent.resolve() != ours.resolve():
        yield Check(name, "note", f"`prefect` is {found}, of another installation than storyreel's", fix)


def _version(address: str, server: Version) -> Check:
    here = Version(metadata.version("prefect"))
    if server.major != here.major:
        detail = f"{address} is of Prefect {server}, which Prefect {here} cannot report to"
        return Check("prefect server", "missing", detail, fix=f"a server of Prefect {here}, or another PREFECT_API_URL")
    if server < here:
        detail = f"{address} answers; it is of Prefect {server}, older than {here} here"
        return Check("prefect server", "note", detail, fix=f"upgrade the server to {here}; it may be newer, not older")
    return Check("prefect server", "ok", f"{address} answers, Prefect {server}")


def _same_server(api: str, named: NamedServer | None, environment: Mapping[str, str]) -> Iterator[Check]:
    """Nothing, or where `prefect` and `storyreel` would speak to different servers."""
    name, ui = "same server", recorded_server(environment)
    if not named:
        detail = f"storyreel reports to {api}, but `prefect` does not know it and would start one of its own"
        yield Check(name, "note", detail, fix=f"storyreel ui --profile storyreel, or export PREFECT_API_URL={api}")
    elif ui and ui.process.is_alive() and f"{ui.pages}/api" != named.api.rstrip("/"):
        detail = f"that of storyreel ui, {ui.pages}, is not used: {named.where} names {without_password(named.api)}"
        yield Check(name, "note", detail, fix=f"{named.remedy}, or storyreel ui --stop")


def _late_ends(environment: Mapping[str, str]) -> Iterator[Check]:
    """Nothing, or how many runs had ended while the server was away, and are recorded now."""
    from storyreel.flows.lifecycle.late_record import record_late_ends

    if late := asyncio.run(record_late_ends(Home.of(environment))):
        runs = "1 run" if late == 1 else f"{late} runs"
        yield Check("runs", "note", f"{runs} had ended while the server was away; that is recorded now")


def _deployed(found: Survey) -> Iterator[Check]:
    for pool in found.pools:
        yield _pool(pool)
    yield from _served(found.films)
    for film in found.films:
        yield from _paused(film)
    for automation in found.paused_automations:
        fix = prefect_command("automation", "resume", "--id", str(automation.id))
        yield Check("automations", "note", f"{automation.name!r} is paused", fix)
    yield from _limits(found.limits)


def _pool(pool: Pool) -> Check:
    name, films = "workers", abridged(pool.films, _LISTED)
    if pool.is_paused:
        fix = prefect_command("work-pool", "resume", pool.name)
        return Check(name, "note", f"pool {pool.name} is paused; no run of {films} begins", fix)
    if pool.takes_no_runs:
        fix = prefect_command("work-pool", "clear-concurrency-limit", pool.name)
        return Check(name, "note", f"pool {pool.name} has a limit of 0; no run of {films} begins", fix)
    if not pool.has_worker:
        fix = shlex.join(["storyreel", "worker", "--pool", pool.name])
        return Check(name, "note", f"pool {pool.name} has no worker; runs of {films} wait for one", fix)
    return Check(name, "ok", f"pool {pool.name} has a worker, for {films}")


def _served(films: tuple[DeployedFilm, ...]) -> Iterator[Check]:
    """Films of `storyreel serve` that no process serves now. Prefect pauses them when the process ends in order."""
    if names := [film.name for film in films if not film.pool and not film.is_waited_for]:
        detail = f"no process serves {abridged(names, _LISTED)}; their runs do not begin"
        yield Check("workers", "note", detail, fix="storyreel serve STORYBOARD")


def _paused(film: DeployedFilm) -> Iterator[Check]:
    if film.is_paused and film.pool:
        detail = f"{film.name} is paused; its schedules start no run"
        fix = prefect_command("api", "POST", f"/deployments/{film.id}/resume_deployment")
        yield Check("schedules", "note", detail, fix)
    elif film.paused_schedules:
        number = len(film.paused_schedules)
        detail = (
            f"{number} of {counted(film.schedules, 'schedule')} of {film.name} {'is' if number == 1 else 'are'} paused"
        )
        command = ("deployment", "schedule", "resume", film.full_name)
        commands = [prefect_command(*command, str(schedule)) for schedule in film.paused_schedules]
        yield Check("schedules", "note", detail, fix=" && ".join(commands))


def _limits(limits: Sequence[SlotLimit]) -> Iterator[Check]:
    """Check the limits, after places that no run holds are released."""
    name, released = "service limits", {}
    if any(limit.taken for limit in limits):
        from storyreel.flows.production.slots.lost_slots import release_lost_slots
        from storyreel.tasks.providers.models import limit_name

        async def release() -> None:
            async with asyncio.timeout(_RELEASE_SECONDS):
                released.update({limit_name(lost.service): lost for lost in await release_lost_slots()})

        try:
            asyncio.run(release())
        except Exception as error:  # whatever the client raises
            detail = f"places that no run holds were not looked for: {_in_words(error)}"
            yield Check(name, "note", detail, fix="storyreel doctor")
    for limit in limits:
        if lost := released.get(limit.name):
            yield Check(name, "note", str(lost))
            limit = limit.model_copy(update={"taken": limit.taken - lost.released})
        yield _limit(limit)


def _limit(limit: SlotLimit) -> Check:
    name, places = "service limits", f"{limit.taken} of {limit.limit} places at {limit.name} are taken"
    if not limit.is_active:
        detail = f"{limit.name} is paused: any number of takes may be at the service at once"
        return Check(name, "note", detail, fix=prefect_command("gcl", "enable", limit.name))
    if not limit.limit:
        fix = prefect_command("gcl", "update", limit.name, "--limit", "1")
        return Check(name, "note", f"{limit.name} is 0: no take is ordered", fix)
    return Check(name, "ok", places)
