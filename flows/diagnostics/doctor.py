"""Checks what is set up on this machine, and gives the command for what is missing. Never shows a key."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from PIL import ImageFont
from rich import box
from rich.table import Table
from rich.text import Text

from storyreel.flows.diagnostics import connectivity
from storyreel.flows.diagnostics.clip_store_check import StoreReport, check_store
from storyreel.flows.diagnostics.connectivity import Connection
from storyreel.flows.services.catalogue import BrokenService, Service, installed_services
from storyreel.flows.terminal import Terminal, styled
from storyreel.specs.problems.phrases import abridged, counted, reason
from storyreel.tasks.bucket import without_password
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.ledger import State as LedgerState
from storyreel.tasks.ledger.schema import version
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.layout import has_raqm, missing_letters
from storyreel.tasks.media.text.typefaces import Fonts, Weight, remedy
from storyreel.tasks.settings import CLIPS_URL, FONT, MEDIA_URL, WEBHOOK_SECRET, WEBHOOK_URL, Settings, service_variable

_NEEDED_BYTES = 500 << 20
"""Disk space that a film of a few minutes needs while it is joined."""

State = Literal["ok", "note", "missing"]
"""`missing`: not even an animatic can be made."""

_MARKS: Mapping[State, tuple[str, str]] = {"ok": ("✓", "green"), "note": ("·", "yellow"), "missing": ("✗", "red")}


class Check(NamedTuple):
    """The result of one check."""

    name: str
    state: State
    detail: str
    fix: str = ""
    """The command that sets it up, or what else to do; empty if there is nothing to do."""


class Checkup(NamedTuple):
    """The results of all checks."""

    checks: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        """Whether an animatic can be made."""
        return all(check.state != "missing" for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The form that `doctor --json` prints."""
        return {"ok": self.is_well, "checks": [check._asdict() for check in self.checks]}


def examine(environment: Mapping[str, str] = os.environ, *, offline: bool = False, everything: bool = False) -> Checkup:
    """Run all checks: with `offline` without network requests, with `everything` also for services without a key."""
    home = Home.of(environment)
    services = installed_services(environment)
    return Checkup(
        checks=(
            _ffmpeg(),
            *_fonts(environment),
            _prefect(),
            _server(offline=offline),
            *_stores(home, offline=offline),
            *_keys(services),
            *_callbacks(environment),
            *(() if offline else _reachable(services, environment, everything=everything)),
            *_buckets(environment, offline=offline),
        )
    )


def _ffmpeg() -> Check:
    try:
        binary = find_ffmpeg()
    except MediaError as error:
        return Check("ffmpeg", "missing", error.message, fix=error.hint)
    return Check("ffmpeg", "ok", f"{binary.version} at {binary.path}, with all needed features")


_SCRIPTS = {
    "Chinese": "路灯", "Japanese": "踏切の", "Korean": "한국어", "Devanagari": "हिन्दी", "Bengali": "বাংলা",
    "Tamil": "தமிழ்", "Thai": "ภาษาไทย", "Arabic": "العربية", "Hebrew": "עברית", "Armenian": "Հայերեն",
    "Georgian": "ქართული", "Khmer": "ខ្មែរ", "emoji": "😀🔥",
}  # fmt: skip
"""Words in the scripts of the world."""


def _fonts(environment: Mapping[str, str]) -> Iterator[Check]:
    for weight in Weight:
        try:
            ImageFont.truetype(weight.path, 20)
        except OSError:
            yield Check("fonts", "missing", f"{weight.path} cannot be read", "pip install --force-reinstall storyreel")
            return
    fonts = Fonts(own=Settings.read(environment).font)
    try:
        missing = [script for script, word in _SCRIPTS.items() if missing_letters(word, fonts)]
    except MediaError as error:
        yield Check("fonts", "note", error.message, fix=f"set {FONT} to a font, or unset it")
        return
    if missing:
        yield Check("fonts", "note", f"none has the letters of {abridged(missing)}", fix=remedy())
    else:
        yield Check("fonts", "ok", f"there are letters for {abridged(_SCRIPTS)}")
    if not has_raqm():
        unjoined = "Arabic, Hebrew, Devanagari and Thai are drawn unjoined, because FriBiDi is not installed"
        yield Check("letters", "note", unjoined, fix="apt-get install libfribidi0")


def _prefect() -> Check:
    needed = next(
        wanted for line in metadata.requires("storyreel") or () if (wanted := Requirement(line)).name == "prefect"
    )
    version = metadata.version("prefect")
    if needed.specifier.contains(version, prereleases=True):
        return Check("prefect", "ok", version)
    detail = f"{version}, but storyreel works with {needed.specifier}"
    return Check("prefect", "missing", detail, fix=f"pip install '{needed}'")


def _server(*, offline: bool) -> Check:
    name = "prefect server"
    server = connectivity.check_prefect_server(ask=not offline)
    if server is None:
        detail = "a run starts its own, and its record stays on this machine"
        return Check(name, "ok", detail, fix="storyreel ui (to see runs)")
    if server.problem:
        fix = "start that server, or run `prefect config unset PREFECT_API_URL` to let each run start its own"
        return Check(name, "missing", f"{server.address} {server.problem}", fix)
    return Check(name, "ok", f"{server.address}{', not asked' if offline else ' answers'}")


def _stores(home: Home, *, offline: bool) -> Iterator[Check]:
    ledger, purchased = _ledger(home, offline=offline)
    yield ledger
    yield _disk_space(home.root)
    if home.clips().root.is_dir():
        # With a bucket a clip may be stored there and not on this host.
        yield _clips(check_store(home.clips(), None if home.clips_url else purchased))


def _ledger(home: Home, *, offline: bool) -> tuple[Check, set[str] | None]:
    """The check of the ledger, and the digests of all purchased clips; None if unknown."""
    name = "ledger"
    if not home.has_ledger:
        return Check(name, "ok", "none yet; the first render creates it"), set()
    if urlsplit(home.ledger_url).hostname and offline:
        return Check(name, "ok", f"{without_password(home.ledger_url)}, not asked"), None
    server = connectivity.check_database(home.ledger_url)
    if server and server.problem:
        fix = "check the network and STORYREEL_LEDGER_URL"
        return Check(name, "missing", f"{server.address} {server.problem}", fix), None
    try:
        with closing(Database(home.ledger_url)) as database:
            schema = version(database)
        if schema is None:
            return Check(name, "ok", f"{database.place} is empty; the first render creates its tables"), None
        with closing(home.ledger()) as ledger:
            purchases = ledger.list()
    except LedgerError as error:
        return Check(name, "missing", error.message, fix=error.hint or error.next), None
    unknown = sum(purchase.state is LedgerState.UNKNOWN for purchase in purchases)
    detail = f"{database.place}, schema {schema}, {counted(len(purchases), 'purchase')}"
    purchased = {purchase.clip for purchase in purchases if purchase.clip}
    if unknown:
        detail += f", {unknown} of them with an unknown outcome"
        return Check(name, "note", detail, fix="storyreel reconcile"), purchased
    return Check(name, "ok", detail), purchased


def _disk_space(root: Path) -> Check:
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        fix = "set STORYREEL_HOME to a folder with write permission"
        return Check("disk space", "missing", f"{existing} cannot be written to: {reason(error)}", fix)
    space = f"{free / 1e9:.1f} GB free for {root}"
    if free < _NEEDED_BYTES:
        fix = "free disk space, or set STORYREEL_HOME to a folder on another disk"
        return Check("disk space", "missing", space, fix)
    return Check("disk space", "ok", space)


def _clips(report: StoreReport) -> Check:
    return Check("clip store", "note" if report.advice else "ok", str(report), report.advice)


def _keys(services: list[Service | BrokenService]) -> Iterator[Check]:
    for service in services:
        if isinstance(service, BrokenService):
            yield Check(service.name, "note", service.message, fix=service.hint)
        elif service.key and service.ready:
            yield Check(service.name, "ok", f"{service.key} is set{_quota(service)}")
        elif service.key:
            fix = f"export {service.key}=…"
            yield Check(service.name, "note", f"{service.key} is not set{_quota(service)}", fix)


def _quota(service: Service) -> str:
    return f"; {service.at_once_by} is {service.at_once}" if service.at_once_by else ""


def _callbacks(environment: Mapping[str, str]) -> Iterator[Check]:
    settings = Settings.read(environment)
    secret, address = settings.webhook_secret, settings.webhook_url
    if secret and address:
        yield Check("webhooks", "ok", "address and secret are set", fix="")
    elif secret or address:
        variable, place = (
            (WEBHOOK_SECRET, "`storyreel webhooks` runs") if address else (WEBHOOK_URL, "films are rendered")
        )
        yield Check("webhooks", "note", f"{variable} is not set here", f"export {variable}=… where {place}")


def _reachable(
    services: list[Service | BrokenService], environment: Mapping[str, str], *, everything: bool
) -> Iterator[Check]:
    names = [one.name for one in services if isinstance(one, Service) and one.key and (one.ready or everything)]
    for name, connection in connectivity.check_services(names, environment).items():
        base_url = service_variable(name, "BASE_URL")
        yield _connection_check(f"{name} online", connection, f"check the network, or {base_url} if it is set")


def _buckets(environment: Mapping[str, str], *, offline: bool) -> Iterator[Check]:
    settings = Settings.read(environment)
    named = (("media", MEDIA_URL, settings.media_url), ("clips bucket", CLIPS_URL, settings.clips_url))
    for name, variable, url in named:
        if url:
            connection = connectivity.check_bucket(url, ask=not offline, links=variable == MEDIA_URL)
            yield _connection_check(name, connection, f"check {variable} and its credentials")


def _connection_check(name: str, connection: Connection, fix: str) -> Check:
    if connection.problem:
        return Check(name, "note", f"{connection.address} {connection.problem}", fix)
    return Check(name, "ok", f"{connection.address} answers")


def print_checkup(console: Terminal, checkup: Checkup) -> None:
    """Print a line for each check, then whether an animatic can be made."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checkup.checks:
        mark, colour = _MARKS[check.state]
        what = styled(check.detail)
        if check.fix:
            what = styled(check.detail, (f"\n→ {check.fix}", "dim"))
        table.add_row(Text(mark, style=colour), check.name, what)
    console.print(table)
    well = styled(("An animatic can be made.", "green"), " Next: storyreel init")
    ill = styled(("An animatic cannot be made yet.", "red"), " Set up what is marked ✗, then: storyreel doctor")
    console.print(well if checkup.is_well else ill)
