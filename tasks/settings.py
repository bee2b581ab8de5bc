"""Every environment variable that Storyreel reads.

pydantic alone reads them. pydantic-settings would add 0.1 s of imports to the commands that start without Prefect,
and it reads the process's environment only, where `doctor` and tests give a mapping.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError

from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen, field_descriptions
from storyreel.specs.problems.phrases import shown

HOME = "STORYREEL_HOME"
LEDGER_URL = "STORYREEL_LEDGER_URL"
CLIPS_URL = "STORYREEL_CLIPS_URL"
MEDIA_URL = "STORYREEL_MEDIA_URL"
PRICES = "STORYREEL_PRICES"
MODELS = "STORYREEL_MODELS"
POLL_SECONDS = "STORYREEL_POLL_SECONDS"
PICKUP_SECONDS = "STORYREEL_PICKUP_SECONDS"
KEEP_MINUTES = "STORYREEL_KEEP_MINUTES"
FFMPEG = "STORYREEL_FFMPEG"
ENCODER = "STORYREEL_ENCODER"
FONT = "STORYREEL_FONT"
GUIDE_VOICE = "STORYREEL_GUIDE_VOICE"
WEBHOOK_URL = "STORYREEL_WEBHOOK_URL"
WEBHOOK_SECRET = "FREEPIK_WEBHOOK_SECRET"
PLAYER_URL = "STORYREEL_PLAYER_URL"
PLAYER_SECRET = "STORYREEL_PLAYER_SECRET"
CERTIFICATE = "STORYREEL_CERTIFICATE"
CERTIFICATE_KEY = "STORYREEL_CERTIFICATE_KEY"
TIMESTAMP_URL = "STORYREEL_TIMESTAMP_URL"

_Model = TypeVar("_Model", bound=Frozen)


class SettingsError(StoryreelError):
    """An environment variable is missing, or has a value that cannot be used. `variable` is its name."""

    def __init__(self, variable: str, message: str, *, hint: str = "", next: str = "") -> None:
        self.variable = variable
        super().__init__(message, hint=hint, next=next)


class Variable(NamedTuple):
    """An environment variable, as the page of variables lists it."""

    name: str
    """Of a service's variable only the end: `AT_ONCE`."""
    default: str
    """The default, for people."""
    expected: str = ""
    """A description of its values, to complete "must be …"; empty where every text is accepted here."""
    example: str = ""
    is_secret: bool = False
    """Whether no message may show the value."""
    description: str = ""


def _folder(text: object) -> object:
    """The absolute path of a folder; `~` stands for the user's home."""
    try:
        return Path(text).expanduser().absolute() if isinstance(text, str) else text
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def _stripped(text: object) -> object:
    return text.strip() if isinstance(text, str) else text


def _http(url: str) -> str:
    parsed = urlsplit(url)
    if parsed.scheme not in ("http", "https") or not parsed.hostname:
        raise ValueError("no http address")
    return url


_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Address = Annotated[str, BeforeValidator(_stripped), AfterValidator(_http)]


class Settings(Frozen):
    """The variables that apply to all services. Empty ones count as not set.

    Only the form of numbers, folders and http addresses is checked here. Whether a file, program, bucket or database
    can be used is found by the part that uses it.
    """

    home: Annotated[
        Path, BeforeValidator(_folder), Variable(HOME, default="`~/.storyreel`", expected="a folder", example="~/films")
    ] = Field(default_factory=lambda: Path.home() / ".storyreel")
    """Folder of the ledger and the clips, shared by all films of a user."""
    ledger_url: Annotated[
        str,
        Variable(
            LEDGER_URL,
            default="SQLite in `STORYREEL_HOME`, which must be on a local disk",
            example="postgresql://user:password@host/database",
        ),
    ] = Field(default="", repr=False)
    """Database of the ledger, `postgresql://user:password@host/database`; needs `pip install 'storyreel[postgres]'`."""
    clips_url: Annotated[
        str, Variable(CLIPS_URL, default="clips stay in `STORYREEL_HOME`", example="s3://films/clips")
    ] = Field(default="", repr=False)
    """Folder in which hosts share clips and what is conformed of them: `s3://films/clips`, a mounted disk, any file
    system of fsspec."""
    media_url: Annotated[
        str, Variable(MEDIA_URL, default="such services take links only", example="s3://films/references")
    ] = Field(default="", repr=False)
    """Bucket for the local references of services that take links only."""
    prices: Annotated[
        Path | None,
        BeforeValidator(_stripped),
        Variable(PRICES, default="`prices.yaml` in `STORYREEL_HOME`, if it exists"),
    ] = None
    """File with your own prices, which are used instead of the published ones."""
    models: Annotated[
        Path | None,
        BeforeValidator(_stripped),
        Variable(MODELS, default="`models.yaml` in `STORYREEL_HOME`, if it exists"),
    ] = None
    """File with models of the services that this version does not know, and other limits of those that it knows."""
    poll_seconds: Annotated[
        _Seconds | None,
        Variable(
            POLL_SECONDS,
            default="depends on how long the model usually takes",
            expected="a number of seconds greater than 0",
            example="3",
        ),
    ] = None
    """Seconds between two requests for the state of a task at a service."""
    pickup_seconds: Annotated[
        _Seconds, Variable(PICKUP_SECONDS, default="60", expected="a number of seconds greater than 0", example="60")
    ] = 60.0
    """Seconds until the film's run makes its scenes itself if no worker has started one (`--spread scenes`)."""
    keep_minutes: Annotated[
        Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
        Variable(
            KEEP_MINUTES,
            default="5 in a terminal; otherwise it ends with the run",
            expected="a number of minutes, or 0 for none",
            example="5",
        ),
    ] = None
    """Minutes for which a run's own Prefect server stays after it, so that the next run begins sooner."""
    ffmpeg: Annotated[
        str, Variable(FFMPEG, default="a suitable one on PATH, else the one installed with Storyreel")
    ] = ""
    """The ffmpeg program to use."""
    encoder: Annotated[
        Literal["libx264", "h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox"],
        BeforeValidator(_stripped),
        Variable(
            ENCODER,
            default="`libx264`, whose files are the same in every run",
            expected="libx264, h264_nvenc, h264_qsv, h264_amf or h264_videotoolbox",
            example="h264_nvenc",
        ),
    ] = "libx264"
    """The encoder for clips that do not fit their film and for dissolves: that of a graphics card is faster, and its
    files are larger. `storyreel doctor` finds the ones that work."""
    font: Annotated[
        Path | None,
        BeforeValidator(_folder),
        Variable(FONT, default="DejaVu Sans, then the system's fonts, then those of `storyreel[fonts]`"),
    ] = None
    """Font file for the text of animatics and contact sheets; a storyboard's `format: {font: …}` comes before it."""
    guide_voice: Annotated[
        Literal["espeak-ng", "off"],
        BeforeValidator(_stripped),
        Variable(
            GUIDE_VOICE,
            default="espeak-ng if `storyreel[voice]` or the system has it, else tones",
            expected="espeak-ng or off",
            example="off",
        ),
    ] = "espeak-ng"
    """The voice for lines of animatics that nobody has recorded; `off` for tones instead."""
    webhook_url: Annotated[
        _Address,
        Variable(
            WEBHOOK_URL,
            default="Freepik is not asked to call",
            expected="an http or https address",
            example="https://films.example/freepik",
        ),
    ] = ""
    """Public address of `storyreel webhooks`, ending in `/freepik`; set it where films are rendered."""
    webhook_secret: Annotated[
        SecretStr | None, Variable(WEBHOOK_SECRET, default="callbacks cannot be received", is_secret=True)
    ] = None
    """Secret with which Freepik signs its calls; set it where `storyreel webhooks` runs."""
    player_url: Annotated[
        _Address,
        Variable(
            PLAYER_URL,
            default="the player of `storyreel ui` or `serve` on this machine",
            expected="an http or https address",
            example="https://films.example",
        ),
    ] = ""
    """Public address of `storyreel player`, from which a browser plays films and takes; set it where films are
    rendered."""
    player_secret: Annotated[
        SecretStr | None, Variable(PLAYER_SECRET, default="one of its own in `STORYREEL_HOME`", is_secret=True)
    ] = None
    """Secret that signs the player's links; set the same where films are rendered and where `storyreel player` runs."""
    certificate: Annotated[
        Path | None,
        BeforeValidator(_folder),
        Variable(CERTIFICATE, default="a self-made one in `STORYREEL_HOME`, for trying"),
    ] = None
    """File with the certificate that signs Content Credentials, and after it those of its issuers, in PEM."""
    certificate_key: Annotated[
        Path | None, BeforeValidator(_folder), Variable(CERTIFICATE_KEY, default="that of the self-made certificate")
    ] = None
    """File with the private key of that certificate, in PEM and without a passphrase."""
    timestamp_url: Annotated[
        _Address,
        Variable(
            TIMESTAMP_URL,
            default="signatures have no timestamp, and end with the certificate",
            expected="an http or https address",
            example="http://timestamp.digicert.com",
        ),
    ] = ""
    """Address of an authority that says when a film was signed (RFC 3161)."""

    @property
    def model_file(self) -> Path:
        """The path of the user's own models, which need not exist."""
        return self.models.expanduser() if self.models else self.home / "models.yaml"

    @property
    def price_file(self) -> Path:
        """The path of the user's own prices, which need not exist."""
        return self.prices.expanduser() if self.prices else self.home / "prices.yaml"

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings of an environment. Raises SettingsError for the first wrong value."""
        return _read(cls, environment, lambda variable: variable.name)


class ServiceSettings(Frozen):
    """The variables of one service; their names begin with the service's, `FREEPIK_API_KEY`."""

    key: Annotated[SecretStr | None, Variable("API_KEY", default="nothing can be bought", is_secret=True)] = None
    """The key of your account. Never stored or shown."""
    base_url: Annotated[
        _Address,
        Variable(
            "BASE_URL",
            default="the service's own address",
            expected="an http or https address",
            example="https://proxy.example",
        ),
    ] = ""
    """Address of the service, where it is another one: a region, a proxy."""
    at_once: Annotated[
        Annotated[int, Field(ge=1, le=9999)] | None,
        Variable("AT_ONCE", default="see `storyreel providers`", expected="a whole number from 1 to 9999", example="5"),
    ] = None
    """Takes that your account may have at the service at the same time."""

    @classmethod
    def read(cls, service: str, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings of a service. Raises SettingsError for the first wrong value."""
        return _read(cls, environment, lambda variable: service_variable(service, variable.name))


def service_variable(service: str, name: str) -> str:
    """The full name of a service's variable: `my-service`, `API_KEY` → `MY_SERVICE_API_KEY`."""
    return f"{re.sub(r'[^A-Z0-9]', '_', service.upper())}_{name}"


def variables(model: type[Frozen] = Settings) -> Iterator[tuple[str, Variable]]:
    """The fields of Settings or ServiceSettings with their variables, in the order of the page of variables."""
    described = field_descriptions(model)
    for name, variable in _variables(model):
        yield name, variable._replace(description=" ".join(described.get(name, "").split()))


def _variables(model: type[Frozen]) -> Iterator[tuple[str, Variable]]:
    for name, field in model.model_fields.items():
        (variable,) = (one for one in field.metadata if isinstance(one, Variable))
        yield name, variable


def _read(model: type[_Model], environment: Mapping[str, str], name_of: Callable[[Variable], str]) -> _Model:
    known = dict(_variables(model))
    given = {field: environment.get(name_of(variable), "") for field, variable in known.items()}
    try:
        return model.model_validate({field: value for field, value in given.items() if value.strip()})
    except ValidationError as error:
        field = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
    raise _wrong(known[field], name_of(known[field]), given[field])


def _wrong(variable: Variable, name: str, value: str) -> SettingsError:
    # An address may hold a password or a token.
    is_shown = not variable.is_secret and not re.search(r"[@?]", value)
    message = f"{name} must be {variable.expected}" + (f", and is {shown(value)!r}" if is_shown else "")
    return SettingsError(name, message, hint=f"for example {name}={variable.example}" if variable.example else "")
