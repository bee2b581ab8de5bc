"""Checks what can be reached from this machine: the Prefect server, the database, services and buckets.

No keys are sent, except to a bucket, which does not answer without them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from storyreel.flows.servers.choose import set_prefect_defaults
from storyreel.flows.servers.local import local_server
from storyreel.flows.servers.prefect_settings import NamedServer, named_server
from storyreel.specs.problems.phrases import shown
from storyreel.tasks import providers
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.storage.bucket import without_password

_TIMEOUT = 5
"""Seconds that a server may take to connect, and for each wait for further bytes."""
_WHOLE_SECONDS = 10
"""Seconds that it may take to answer, however slowly bytes arrive."""
_BUCKET_SECONDS = 10
_POSTGRESQL = 5432
"""The port of a database whose address names none."""


class Connection(NamedTuple):
    """Result of one connectivity check."""

    address: str
    """Without a user name or password."""
    problem: str = ""
    """To be read after the address; empty if it answered or was not asked."""


def check_prefect_server(*, ask: bool) -> Connection | None:
    """The server that a run would report to; None if a run would start its own."""
    if named := server_in_settings():
        return asyncio.run(_request(named.api, "/health")) if ask else Connection(without_password(named.api))
    local = local_server() if ask else ""
    return Connection(f"{local}/api") if local else None


def server_in_settings() -> NamedServer | None:
    """The server that Prefect's settings name, as `prefect` uses it; None if they name none."""
    set_prefect_defaults()
    return named_server()


def check_services(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, Connection]:
    """Installed services of this package by name, requested at the same time and without a key."""
    found = {name: adapter for name in names if issubclass(adapter := providers.load(name), HostedProvider)}
    bases = {name: adapter(environment).base for name, adapter in found.items()}

    async def check_all() -> list[Connection]:
        return await asyncio.gather(*(_request(base, "/") for base in bases.values()))

    return dict(zip(bases, asyncio.run(check_all()), strict=True))


def check_database(url: str) -> Connection | None:
    """The server of a ledger's address; None if it names no host, as for a file.

    Only opens a connection to its port: the database driver would wait a minute for an answer.
    """
    parsed = urlsplit(url)
    address = without_password(url)
    try:
        if not parsed.hostname:
            return None
        with socket.create_connection((parsed.hostname, parsed.port or _POSTGRESQL), _TIMEOUT):
            return Connection(address)
    except (OSError, ValueError) as error:
        return Connection(address, f"cannot be reached: {shown(str(error))}")


def check_bucket(url: str, *, ask: bool, links: bool) -> Connection:
    """Whether a bucket's folder can be listed and, with `links`, whether its file system can make links to files."""
    address = without_password(url)
    try:
        import fsspec

        system, folder = fsspec.url_to_fs(url)
    except ImportError as error:
        return Connection(address, f"needs a package that is not installed: {shown(error)}")
    except ValueError as error:
        return Connection(address, f"is not an address of a bucket: {shown(error)}")
    if links and type(system).sign is fsspec.AbstractFileSystem.sign:
        return Connection(address, "cannot make links to its files; s3:// can")
    return Connection(address, _problem(lambda: _list(system, folder)) if ask else "")


def _list(system: Any, folder: str) -> None:
    """List a folder, or the nearest one above that exists: the first file creates it."""
    try:
        system.ls(folder)
    except FileNotFoundError:
        above = system._parent(folder)
        if above in ("", folder):
            raise
        _list(system, above)


async def _request(base: str, path: str) -> Connection:
    """Check whether a server answers at an address. Any answer below 500 counts."""
    address = without_password(base)
    try:
        async with (
            asyncio.timeout(_WHOLE_SECONDS),
            httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
            client.stream("GET", base.rstrip("/") + path) as answer,
        ):
            problem = f"answers with an error: {answer.status_code}" if answer.status_code >= 500 else ""
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = f"cannot be reached: {shown(str(error) or type(error).__name__)}"
    except TimeoutError:
        problem = f"gave no whole answer in {_WHOLE_SECONDS} s"
    return Connection(address, problem)


def _problem(attempt: Callable[[], object]) -> str:
    """The failure of an attempt, empty if it succeeds. One that takes too long is left to its thread."""
    outcome: list[str] = []

    def work() -> None:
        try:
            attempt()
        except FileNotFoundError:
            outcome.append("does not exist")
        except Exception as error:  # file systems of fsspec raise the errors of their libraries
            outcome.append(f"cannot be used: {shown(f'{type(error).__name__}: {error}', 120)}")
        else:
            outcome.append("")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_BUCKET_SECONDS)
    return outcome[0] if outcome else f"gave no answer in {_BUCKET_SECONDS} s"
