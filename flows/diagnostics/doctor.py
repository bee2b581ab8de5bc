"""Checks what is set up on this machine, and gives the command for what is missing. Never shows a key."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from PIL import ImageFont
from rich import box
from rich.table import Table
from rich.text import Text

from storyreel.flows.diagnostics import connectivity
from storyreel.flows.diagnostics.check import Check, State
from storyreel.flows.diagnostics.clip_store_check import StoreReport, check_store
from storyreel.flows.diagnostics.connectivity import Connection
from storyreel.flows.diagnostics.player_check import check_player
from storyreel.flows.diagnostics.prefect_checks import check_prefect
from storyreel.flows.servers.choose import set_prefect_defaults
from storyreel.flows.servers.readiness import prefect_folders
from storyreel.flows.services.catalogue import BrokenService, Service, installed_services
from storyreel.flows.terminal import Terminal, styled
from storyreel.specs.problems.phrases import abridged, counted, listed, reason
from storyreel.tasks.credentials.certificate import signing_note, users_own
from storyreel.tasks.credentials.library import REMEDY as SIGNING
from storyreel.tasks.credentials.library import CredentialsError, is_installed
from storyreel.tasks.credentials.sign import try_certificate
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.ledger import State as LedgerState
from storyreel.tasks.ledger.schema import version
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.encoders import ENCODERS, X264, codecs_of, working_hardware
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.layout import has_raqm, missing_letters
from storyreel.tasks.media.text.typefaces import Fonts, Weight, remedy
from storyreel.tasks.providers.animatic.voice.engine import REMEDY, engine
from storyreel.tasks.settings import (
    CLIPS_URL,
    ENCODER,
    FFMPEG,
    FONT,
    GUIDE_VOICE,
    MEDIA_URL,
    WEBHOOK_SECRET,
    WEBHOOK_URL,
    Settings,
    SettingsError,
    service_variable,
)
from storyreel.tasks.storage.bucket import without_password
from storyreel.tasks.storage.disk import DiskError, try_folder

_NEEDED_BYTES = 500 << 20
"""Disk space that a film of a few minutes needs while it is joined."""

_MARKS: Mapping[State, tuple[str, str]] = {"ok": ("✓", "green"), "note": ("·", "yellow"), "missing": ("✗", "red")}


class Checkup(NamedTuple):
    """The results of all checks."""

    checks: tuple[Check, ...]
    services: tuple[str, ...]
    """Paid services that can be bought from: their key is set, and they answer if they were asked."""

    @property
    def is_well(self) -> bool:
        """Whether an animatic can be made."""
        return all(check.state != "missing" for check in self.checks)

    @property
    def in_words(self) -> str:
        """A sentence on the services that can render."""
        if not self.is_well:
            return "Nothing can be rendered yet, not even an animatic."
        if not self.services:
            return "An animatic can be made."
        return f"Films can be rendered by {abridged(self.services)}; an animatic needs no service."

    def as_json(self) -> dict[str, Any]:
        """The form that `doctor --json` prints."""
        checks = [check._asdict() for check in self.checks]
        return {"ok": self.is_well, "checks": checks, "services": list(self.services)}


def examine(environment: Mapping[str, str] = os.environ, *, offline: bool = False, everything: bool = False) -> Checkup:
    """Run all checks: with `offline` without network requests, with `everything` also for services without a key."""
    home = Home.of(environment)
    services = installed_services(environment)
    online = {} if offline else _reachable(services, environment, everything=everything)
    can_be_asked = [one.name for one in services if isinstance(one, Service) and one.key and one.ready]
    return Checkup(
        checks=(
            *_ffmpeg(environment),
            *_fonts(environment),
            _guide_voice(environment),
            _credentials(environment),
            _prefect(),
            *_packages(),
            *check_prefect(environment, offline=offline),
            *_stores(home, offline=offline),
            *_keys(services),
            *_callbacks(environment),
            *check_player(environment, offline=offline),
            *online.values(),
            *_buckets(environment, offline=offline),
        ),
        services=tuple(name for name in can_be_asked if name not in online or online[name].state == "ok"),
    )


def _ffmpeg(environment: Mapping[str, str]) -> Iterator[Check]:
    try:
        binary = find_ffmpeg()
    except MediaError as error:
        yield Check("ffmpeg", "missing", error.message, fix=error.hint)
        return
    yield Check("ffmpeg", "ok", f"{binary.version} at {binary.path}, with all needed features")
    codecs = codecs_of(binary)
    if lacking := [codec for codec in ENCODERS if codec not in codecs]:
        detail = f"this ffmpeg cannot encode {listed(lacking)}, for deliverables that have such a `codec`"
        yield Check("codecs", "note", detail, fix=f"unset {FFMPEG}, or install an ffmpeg that can")
    asked, working = Settings.read(environment).encoder, working_hardware(binary)
    if asked not in (X264, *working):
        detail = f"{asked}, which {ENCODER} names, does not work with this ffmpeg on this machine"
        yield Check("encoder", "missing", detail, fix=f"unset {ENCODER}")
    elif asked != X264:
        yield Check("encoder", "ok", f"{asked}, as {ENCODER} says")
    elif working:
        detail = f"{X264}; {abridged(working)} would be faster, with larger files that differ from run to run"
        yield Check("encoder", "ok", detail, fix=f"export {ENCODER}={working[0]}")


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


def _guide_voice(environment: Mapping[str, str]) -> Check:
    if found := engine(environment):
        return Check("guide voice", "ok", f"{found.name} speaks the lines of animatics")
    if Settings.read(environment).guide_voice == "off":
        return Check("guide voice", "ok", f"off, as {GUIDE_VOICE} says; tones stand for the lines of animatics")
    return Check("guide voice", "ok", "there is none, so that tones stand for the lines of animatics", fix=REMEDY)


def _credentials(environment: Mapping[str, str]) -> Check:
    name = "credentials"
    if not is_installed():
        return Check(
            name, "ok", "films cannot have Content Credentials (C2PA), because c2pa-python is missing", SIGNING
        )
    try:
        found = users_own(Settings.read(environment))
        if found is None:
            return Check(name, "ok", signing_note(environment))
        try_certificate(found)
    except (CredentialsError, SettingsError) as error:
        return Check(name, "note", error.message, fix=error.next or error.hint)
    return Check(name, "ok", f"Content Credentials are signed by {found.name}")


def _prefect() -> Check:
    needed = next(
        wanted for line in metadata.requires("storyreel") or () if (wanted := Requirement(line)).name == "prefect"
    )
    version = metadata.version("prefect")
    if needed.specifier.contains(version, prereleases=True):
        return Check("prefect", "ok", version)
    detail = f"{version}, but storyreel works with {needed.specifier}"
    return Check("prefect", "missing", detail, fix=f"pip install '{needed}'")


def _packages() -> Iterator[Check]:
    """Nothing, or the packages that are missing or of a version with which Storyreel or Prefect does not work."""
    wrong, wanted = [], []
    for needed in map(Requirement, metadata.requires("storyreel") or ()):
        if needed.name == "prefect" or (needed.marker and not needed.marker.evaluate({"extra": ""})):
            continue
        try:
            version = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{needed.name} is not installed")
        else:
            if needed.specifier.contains(version, prereleases=True):
                continue
            wrong.append(f"{needed.name} {version} is not {needed.specifier}")
        wanted.append(f"{needed.name}{needed.specifier}")
    if wrong:
        yield Check("packages", "missing", "; ".join(wrong), fix=shlex.join(["pip", "install", *wanted]))


def _stores(home: Home, *, offline: bool) -> Iterator[Check]:
    ledger, purchased = _ledger(home, offline=offline)
    yield ledger
    yield _disk_space(home.root)
    yield from _folders(home)
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
    free = sum(purchase.is_free for purchase in purchases)
    detail = f"{database.place}, schema {schema}, {counted(len(purchases) - free, 'purchase')}"
    detail += f" and {counted(free, 'free take')}" if free else ""
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


def _folders(home: Home) -> Iterator[Check]:
    """Nothing, or the folders and the ledger of the home that exist and cannot be written to, and those of Prefect."""
    set_prefect_defaults()
    choose, choose_prefect = "set STORYREEL_HOME to another folder", "set PREFECT_HOME to another folder"
    kept = {home.clips().root: "clips", home.house: "conformed clips", home.packs: "storyboards"}
    places = {folder: (what, choose) for folder, what in kept.items() if os.path.lexists(folder)}
    places |= {folder: (what, choose_prefect) for folder, what in prefect_folders().items()}
    for folder, (what, how) in places.items():
        try:
            try_folder(folder, what, how)
        except DiskError as error:
            yield Check("home", "missing", error.message, fix=f"make it writable, or {error.hint}")
    file = home.ledger_file
    if file and file.exists() and not os.access(file, os.W_OK):
        yield Check("home", "missing", f"{file} cannot be written to", fix=shlex.join(["chmod", "u+w", str(file)]))


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
) -> dict[str, Check]:
    """By service, whether it answers."""
    names = [one.name for one in services if isinstance(one, Service) and one.key and (one.ready or everything)]
    return {
        name: _connection_check(
            f"{name} online",
            connection,
            f"check the network, or {service_variable(name, 'BASE_URL')} if it is set",
        )
        for name, connection in connectivity.check_services(names, environment).items()
    }


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
    """Print a line for each check, then what can be rendered."""
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
    if checkup.is_well:
        console.print(styled((checkup.in_words, "green"), " Next: storyreel init"))
    else:
        console.print(styled((checkup.in_words, "red"), " Set up what is marked ✗, then: storyreel doctor"))
