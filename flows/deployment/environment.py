"""The environment variables that a deployment stores for its workers, and those that hold secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from storyreel.specs.secrets import hidden
from storyreel.tasks.settings import CERTIFICATE, FFMPEG, FONT, HOME, MODELS, PRICES, WEBHOOK_URL, service_variable

_PER_MACHINE = frozenset({FFMPEG, WEBHOOK_URL})
"""Variables that each machine sets for itself."""
_PATHS = frozenset({HOME, MODELS, PRICES, FONT, CERTIFICATE})
"""Variables that are stored as absolute paths: a run begins in another folder."""
_SECRETS = ("KEY", "SECRET", "TOKEN", "PASSWORD")


class WorkerEnvironment(NamedTuple):
    """The variables with which a worker finds the same ledger, clips and services."""

    variables: dict[str, str]
    """Stored in the deployment."""
    withheld: list[str]
    """Names of variables with a key or a password: stored nowhere, to be set on each worker."""


def worker_environment(
    services: Iterable[str], *, in_process_pool: bool, environment: Mapping[str, str] = os.environ
) -> WorkerEnvironment:
    """The variables of this environment that a run needs for its services.

    STORYREEL_HOME is passed on only to a process pool, whose workers are expected on the same or a shared disk.
    """
    variables, withheld = {}, []
    of_services = {service_variable(name, what) for name in services for what in ("BASE_URL", "AT_ONCE")}
    for name, value in sorted(environment.items()):
        is_ours = name.startswith("STORYREEL_") and name not in _PER_MACHINE
        if not value or not (is_ours or name in of_services) or (name == HOME and not in_process_pool):
            continue
        if is_secret(name, value):
            withheld.append(name)
        else:
            variables[name] = str(Path(value).expanduser().absolute()) if name in _PATHS else value
    return WorkerEnvironment(variables, withheld)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable holds a key or a password, by its name or by a password in its address."""
    return hidden(value, environment={}) != value or any(word in name for word in _SECRETS)
