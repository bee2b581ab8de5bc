"""Who can be reached from here: Prefect's server, the services, the bucket. Nobody is shown a key but the bucket,
which cannot be asked without one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from storyreel.flows.servers.choose import set_prefect_defaults
from storyreel.flows.servers.local import local_server
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import shown
from storyreel.tasks import providers
from storyreel.tasks.bucket import without_password
from storyreel.tasks.providers.hosted import HostedProvider

_PATIENCE = 5
"""Seconds that somebody may take to answer."""
_BUCKET_PATIENCE = 10
_POSTGRESQL = 5432
"""The port of a database whose address names none."""


class Reached(Frozen):
    """Somebody who was asked for nothing in particular."""

    address: str
    """Without a name or password that may stand in it."""
    trouble: str = ""
    """What is wrong, as the end of a sentence; empty when an answer came, or when nobody was asked."""


def prefect_server(*, ask: bool) -> Reached | None:
    """The server that a run would report to; None when that is one of the run's own."""
    set_prefect_defaults()
    from prefect.settings import PREFECT_API_URL

    if named := PREFECT_API_URL.value():
        return asyncio.run(_asked(named, "/health")) if ask else Reached(address=without_password(named))
    local = local_server() if ask else ""
    return Reached(address=f"{local}/api") if local else None


def services(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, Reached]:
    """Services of ours by name, asked all at once."""
    found = {name: adapter for name in names if issubclass(adapter := providers.load(name), HostedProvider)}
    bases = {name: adapter(environment).base for name, adapter in found.items()}

    async def all_of_them() -> list[Reached]:
        return await asyncio.gather(*(_asked(base, "/") for base in bases.values()))

    return dict(zip(bases, asyncio.run(all_of_them()), strict=True))


def database(url: str) -> Reached | None:
    """The server that a ledger's address names; None where it names none, as with a file. Only its door is knocked
    at, since the database itself would be waited for a minute."""
    parsed = urlsplit(url)
    address = without_password(url)
    try:
        if not parsed.hostname:
            return None
        with socket.create_connection((parsed.hostname, parsed.port or _POSTGRESQL), _PATIENCE):
            return Reached(address=address)
    except (OSError, ValueError) as error:
        return Reached(address=address, trouble=f"cannot be reached: {shown(str(error))}")


def bucket(url: str, *, ask: bool, links: bool) -> Reached:
    """A folder that hosts or services share: whether it can be looked into, and give `links` to what is in it."""
    address = without_password(url)
    try:
        import fsspec

        system, folder = fsspec.url_to_fs(url)
    except ImportError as error:
        return Reached(address=address, trouble=f"needs a package that is not here: {shown(error)}")
    except ValueError as error:
        return Reached(address=address, trouble=f"is no address of a bucket: {shown(error)}")
    if links and type(system).sign is fsspec.AbstractFileSystem.sign:
        return Reached(address=address, trouble="cannot give links to its files; s3:// can")
    return Reached(address=address, trouble=_trouble(lambda: _look_into(system, folder)) if ask else "")


def _look_into(system: Any, folder: str) -> None:
    """Look into a folder; into one above it where it is not there, as the first file makes it."""
    try:
        system.ls(folder)
    except FileNotFoundError:
        above = system._parent(folder)
        if above in ("", folder):
            raise
        _look_into(system, above)


async def _asked(base: str, path: str) -> Reached:
    """Whether anybody answers there; what, does not matter unless it is in trouble itself."""
    address = without_password(base)
    try:
        async with (
            httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client,
            client.stream("GET", base.rstrip("/") + path) as answer,
        ):
            trouble = f"is in trouble itself: it answers {answer.status_code}" if answer.status_code >= 500 else ""
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        trouble = f"cannot be reached: {shown(str(error) or type(error).__name__)}"
    return Reached(address=address, trouble=trouble)


def _trouble(attempt: Callable[[], object]) -> str:
    """What is wrong with an attempt that may take for ever; it is left to itself when it does."""
    outcome: list[str] = []

    def work() -> None:
        try:
            attempt()
        except FileNotFoundError:
            outcome.append("does not exist")
        except Exception as error:  # a file system of fsspec's may raise whatever its library does
            outcome.append(f"cannot be used: {shown(f'{type(error).__name__}: {error}', 120)}")
        else:
            outcome.append("")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_BUCKET_PATIENCE)
    return outcome[0] if outcome else f"gave no answer in {_BUCKET_PATIENCE} s"
