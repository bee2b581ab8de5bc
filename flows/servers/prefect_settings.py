"""Prefect's own settings: the server that they name and where, a profile that names one, commands of `prefect`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError

from storyreel.flows.errors import RunFailed
from storyreel.specs.problems.phrases import reason
from storyreel.tasks.storage.bucket import without_password

_VARIABLE = "PREFECT_API_URL"
_NO_SERVER = "ephemeral"
"""Prefect's own profile that names no server."""
_ANSWER_SECONDS = 10
NO_ANSWER = f"no answer in {_ANSWER_SECONDS} s"
"""Result of `api_problem` for a server that accepts a connection and is silent, or that is not reached."""


class NamedServer(NamedTuple):
    """A server that Prefect's settings name."""

    api: str
    pages: str
    """URL of its web pages, without a password."""
    where: str
    """The variable, file or profile that names it, for messages."""
    remedy: str
    """The command after which the settings no longer name it."""
    profile: str = ""
    """The profile that names it; empty if a variable or a file does."""

    @property
    def port(self) -> int | None:
        """Its port if it is one that `storyreel ui` starts, plain HTTP on this machine; None otherwise."""
        return local_port(self.api)

    def unanswered(self, problem: str) -> RunFailed:
        """The error for a server that does not answer, for this reason."""
        is_complete = self.api.rstrip("/").endswith("/api") or "/workspaces/" in self.api
        return RunFailed(
            f"the Prefect server at {self.pages}, which {self.where} names, does not answer: {problem}",
            hint="start it where it belongs" if is_complete else "the address of Prefect's API ends in /api",
            next=f"{self.remedy}, and storyreel ui starts one here",
        )


def local_port(api: str) -> int | None:
    """The port of a Prefect API at 127.0.0.1, without TLS and at Prefect's own path; None for every other address."""
    try:
        url = urlsplit(api)
        is_here = url.hostname == "localhost" or (url.hostname or "").startswith("127.")
        return (url.port or 80) if is_here and url.scheme == "http" and url.path.rstrip("/") == "/api" else None
    except ValueError:
        return None


def named_server() -> NamedServer | None:
    """The server that Prefect's settings name: a variable, a file in this folder, or the active profile."""
    from prefect.context import get_settings_context
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

    if not (api := PREFECT_API_URL.value()):
        return None
    pages = without_password(str(PREFECT_UI_URL.value() or api.removesuffix("/api")))
    profile = get_settings_context().profile
    if os.environ.get(_VARIABLE):
        return NamedServer(api, pages, _VARIABLE, f"unset {_VARIABLE}")
    if profile.settings.get(PREFECT_API_URL) == api:
        chosen = os.environ.get("PREFECT_PROFILE")
        remedy = "unset PREFECT_PROFILE" if chosen else prefect_command("profile", "use", _NO_SERVER)
        return NamedServer(api, pages, f"Prefect's profile `{profile.name}`", remedy, profile.name)
    return NamedServer(api, pages, "a settings file of Prefect", prefect_command("config", "view", "--show-sources"))


def lasting_api() -> str:
    """The URL of the API that another process here would use, whatever is set for this one alone; empty if none."""
    from prefect.settings import Settings

    return Settings().api.url or ""


def default_port() -> int:
    """The port of a server that is started without one, as Prefect's settings say: 4200 unless they are changed."""
    from prefect.settings import PREFECT_SERVER_API_PORT

    return int(PREFECT_SERVER_API_PORT.value())


def is_server_named(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a variable or the active profile names a server, read without importing Prefect, which takes a second."""
    if environment.get(_VARIABLE):
        return True
    try:
        profiles = tomllib.loads(_profiles_path(environment).read_text("utf-8"))
        return bool(profiles["profiles"][environment.get("PREFECT_PROFILE") or profiles["active"]].get(_VARIABLE))
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return False


def settings_digest(environment: Mapping[str, str] = os.environ) -> str:
    """A digest of everything that Prefect's settings may come from here, and of the versions that read it."""
    digest = hashlib.sha256(f"{sys.executable} {metadata.version('prefect')} {metadata.version('storyreel')}".encode())
    variables = {name: value for name, value in environment.items() if name == "HOME" or name.startswith("PREFECT_")}
    digest.update(repr(sorted(variables.items())).encode(errors="surrogateescape"))
    for path in (*_toml_files(), Path(".env")):
        with suppress(OSError):
            digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def _profiles_path(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("PREFECT_HOME") or "~/.prefect").expanduser()
    return Path(environment.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")


def settings_error(error: Exception) -> RunFailed | None:
    """The error for settings of Prefect that cannot be read, if this is what Prefect raised for them; otherwise None.

    Prefect reads them when it is imported, wherever that is, and from variables and several files.
    """
    frames = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    if not isinstance(error, ValueError) or not any(name.startswith("prefect.settings") for name in frames):
        return None
    what, where = str(error), "its variables, which begin with PREFECT_, and its files"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    elif isinstance(error, tomllib.TOMLDecodeError):
        where = next((str(path) for path in _toml_files() if _is_no_toml(path)), where)
    return RunFailed(f"Prefect's settings cannot be read: {what}", hint=f"correct {where}")


def _toml_files() -> tuple[Path, ...]:
    return _profiles_path(os.environ), Path("prefect.toml"), Path("pyproject.toml")


def _is_no_toml(path: Path) -> bool:
    try:
        tomllib.loads(path.read_text("utf-8"))
    except ValueError:
        return True
    except OSError:
        return False
    return False


def use_profile(name: str, api: str) -> Path:
    """Name a server in a profile of Prefect's, made if it does not exist, and make it the active one.

    Returns the file of the profiles. Raises RunFailed if it cannot be written.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_PROFILES_PATH, load_profiles, save_profiles

    path = Path(PREFECT_PROFILES_PATH.value())
    profiles = load_profiles()
    profiles.update_profile(name, {PREFECT_API_URL: api}, source=path)
    profiles.set_active(name)
    try:
        save_profiles(profiles)
    except OSError as error:
        raise RunFailed(f"{path} cannot be written: {reason(error)}", next=f"export {_VARIABLE}={api}") from error
    return path


def prefect_command(*arguments: str) -> str:
    """A command line of this installation's `prefect` that can be pasted; it talks to the server in use here."""
    from prefect.settings import PREFECT_API_URL

    in_use = PREFECT_API_URL.value()
    variable = f"{_VARIABLE}={shlex.quote(in_use)} " if in_use and in_use != lasting_api() else ""
    return f"{variable}{_program()} {shlex.join(arguments)}"


def api_in_use() -> dict[str, str]:
    """The variable that names the API in use here to another process; empty without one."""
    from prefect.settings import PREFECT_API_URL

    return {_VARIABLE: in_use} if (in_use := PREFECT_API_URL.value()) else {}


def worker_command(pool: str, limit: int | None, name: str | None) -> list[str]:
    """The words of the command that starts a worker of this installation."""
    # Safe from a prefect.py in this folder.
    words = [sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", pool]
    return [*words, *(["--limit", str(limit)] if limit else []), *(["--name", name] if name else [])]


def _program() -> str:
    """`prefect`, if that is the one beside this Python; otherwise its path, as after `pipx install storyreel`."""
    own, found = Path(sys.executable).with_name("prefect"), shutil.which("prefect")
    if not own.exists():
        return "prefect"
    if found and Path(found).samefile(own):
        # `uv run` puts it on the path of this command alone.
        return "uv run prefect" if "UV_RUN_RECURSION_DEPTH" in os.environ else "prefect"
    return shlex.quote(str(own))


async def api_problem() -> str:
    """The reason why the server in use does not answer, as it said it; empty if it answers."""
    from prefect import get_client

    async with get_client() as client:
        try:
            problem = await asyncio.wait_for(client.api_healthcheck(), _ANSWER_SECONDS)
        except TimeoutError:
            return NO_ANSWER
    return f"{problem}".strip().partition("\n")[0] or type(problem).__name__ if problem else ""
