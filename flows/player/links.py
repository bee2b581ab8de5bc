"""Addresses at which films and takes are played, each signed: a player gives nothing that no link was made for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pydantic import Field

from storyreel.flows.player.films import FilmRecord
from storyreel.flows.servers.local import free_port, is_on_this_host
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import Owner
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.files import create_secret, make_private_folder, write_whole

PORT = 4210
"""Default port of a player."""
HEALTH = "/health"
"""The path at which a player says whose it is."""
LOOPBACK = "127.0.0.1"
_SIGNATURE_BYTES = 16
_ANSWER_SECONDS = 5
"""Time for a busy player to answer."""


class PlayerRecord(Frozen):
    """The player of a home, as recorded in `player.json`."""

    port: int = Field(default_factory=lambda: PORT)
    """The port at which it was last, and links lead to."""
    process: Owner | None = None
    """The process that `storyreel ui` started, alive or not."""

    @classmethod
    def of(cls, home: Home) -> PlayerRecord:
        """The record of a home; the defaults without a readable one."""
        try:
            found = cls.model_validate_json(_record_path(home).read_bytes())
        except (OSError, ValueError):
            return cls()
        # After a restart of the machine the process is another one's, and the port is the same.
        return found if found.process and found.process.is_here() else cls(port=found.port)

    def write(self, home: Home) -> None:
        """Store the record. Raises OSError."""
        make_private_folder(home.root)
        write_whole(_record_path(home), self.model_dump_json())

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive()


class Links(NamedTuple):
    """Makes the addresses of films and takes; all of them are empty if no player could open them."""

    base: str
    """Address of the player."""
    secret: bytes

    @classmethod
    def of(cls, home: Home, api: str = "", environment: Mapping[str, str] = os.environ) -> Links:
        """The links for readers of the Prefect server at `api`; without one, for the user of this machine.

        Without STORYREEL_PLAYER_URL only readers on this machine reach the player, so that pages of a server elsewhere
        have no links, unless `storyreel ui` has started a player here. Raises SettingsError.
        """
        base = Settings.read(environment).player_url.rstrip("/")
        if not base and api and not is_on_this_host(api) and not PlayerRecord.of(home).is_alive:
            return NO_LINKS
        try:
            base = base or f"http://{LOOPBACK}:{_port(home, environment)}"
            return cls(base, secret_of(home, environment))
        except OSError:  # A home that cannot be written to has no player.
            return NO_LINKS

    def take(self, digest: str, slate: str, take: int) -> str:
        """The address of the page that plays a clip."""
        return self._address(f"take/{digest}/{quote(f'{slate}-{take}', safe='')}")

    def film(self, film: FilmRecord | None) -> str:
        """The address of the page that plays a film; empty without a record of it."""
        return self._address(f"film/{film.run}", film.place) if film else ""

    def _address(self, path: str, subject: str = "") -> str:
        return f"{self.base}/{path}?s={sign(self.secret, path, subject)}" if self.base else ""


NO_LINKS = Links("", b"")


def sign(secret: bytes, path: str, subject: str = "") -> str:
    """The signature of a path, and of what it leads to where the path alone does not say it."""
    digest = hmac.new(secret, f"{path}\n{subject}".encode(errors="surrogateescape"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).decode().rstrip("=")


def answers(home: Home, port: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a player of this home answers at a port of this machine."""
    connection = HTTPConnection(LOOPBACK, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", HEALTH)
        told = json.loads(connection.getresponse().read(1000))
        return bool(told["player"] == sign(secret_of(home, environment), HEALTH))
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return False
    finally:
        connection.close()


def _port(home: Home, environment: Mapping[str, str]) -> int:
    """The port of a home's player, also of one that is still to begin. Raises OSError.

    If the default is another's, as that of another home's player, one is chosen and recorded now: a link that is made
    before the player begins leads to it then.
    """
    port = PlayerRecord.of(home).port
    if port != PORT or _record_path(home).exists():
        return port
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        if not answers(home, port, environment):
            port = free_port()
            PlayerRecord(port=port).write(home)
    return port


def is_playing(home: Home, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the links of a home lead somewhere: to a public player, or to one that answers on this machine."""
    return bool(Settings.read(environment).player_url) or answers(home, PlayerRecord.of(home).port, environment)


def secret_of(home: Home, environment: Mapping[str, str] = os.environ) -> bytes:
    """The secret that signs links: STORYREEL_PLAYER_SECRET, else the home's own, made at its first use.

    Raises SettingsError, and OSError if the home has none and cannot be written to.
    """
    if given := Settings.read(environment).player_secret:
        return given.get_secret_value().encode()
    path = home.root / "player.key"
    with suppress(FileNotFoundError):
        return _read_secret(path)
    create_secret(path, secrets.token_hex(32))
    return _read_secret(path)


def _read_secret(path: Path) -> bytes:
    content = path.read_bytes().strip()
    if not content:
        raise OSError(f"{path} is empty")
    return content


def _record_path(home: Home) -> Path:
    return home.root / "player.json"
