"""The emulator of AIMLAPI against its published OpenAPI files: both accept and refuse the same, and replies fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker

from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Phase, Script

PATH = "/v2/video/generations"
FOLDER = Path(__file__).parents[3] / "shared" / "openapi"
MODES = ("r2v", "i2v", "t2v")
URIS = st.sampled_from(["https://example.com/a.png", "http://example.com/b.mp4?c=1&d=2", "https://example.com/%20"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 20),
    st.sampled_from([5.0, 7.5]),
    st.text(max_size=8),
    URIS,
    st.sampled_from(["16:9", "720p", "1080P", "5", "alibaba/wan-2-7-t2v", "x" * 501]),
    st.lists(URIS, max_size=7),
    st.lists(st.text(max_size=4), max_size=2),
    st.just({}),
)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published files are not beside this checkout")


def published(mode: str) -> dict[str, Any]:
    path: dict[str, Any] = json.loads((FOLDER / f"aimlapi-wan2.7-{mode}.json").read_text())["paths"][PATH]["post"]
    return path


def checker() -> FormatChecker:
    formats = FormatChecker(())

    @formats.checks("uri")
    def is_uri(value: object) -> bool:
        return not isinstance(value, str) or (
            urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).netloc) and " " not in value
        )

    return formats


def request_schema(mode: str) -> dict[str, Any]:
    schema: dict[str, Any] = published(mode)["requestBody"]["content"]["application/json"]["schema"]
    return schema


def reply_schema(mode: str) -> dict[str, Any]:
    schema: dict[str, Any] = _plain(published(mode)["responses"]["200"]["content"]["application/json"]["schema"])
    return schema


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items() if name != "nullable"}
    return plain | {"type": [plain["type"], "null"]} if schema.get("nullable") is True else plain


def fitting(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a field. A default is no constraint, and one of them contradicts its own field."""
    if "enum" in field:
        return st.sampled_from(field["enum"])
    match field["type"]:
        case "array":
            return st.lists(fitting(field["items"]), max_size=field["maxItems"])
        case "string":
            return URIS if field.get("format") == "uri" else st.text(max_size=field.get("maxLength", 600))
        case "integer":
            return st.integers()
        case "boolean":
            return st.booleans()
    raise AssertionError(f"the published file has a kind of field that was not there before: {field}")


@st.composite
def bodies(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """Bodies that fit, and bodies that a few changes made fit or not."""
    strategies = {name: fitting(field) for name, field in schema["properties"].items()}
    needed = {name: strategies.pop(name) for name in schema["required"]}
    body: dict[str, Any] = draw(st.fixed_dictionaries(needed, optional=strategies))
    for name in draw(st.lists(st.sampled_from(sorted(schema["properties"])), max_size=2)):
        if draw(st.booleans()):
            body.pop(name, None)
        else:
            body[name] = draw(VALUES)
    return body


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    # The schema is read to the letter: no coercion, no word on other fields.
    emulator = Aimlapi(AimlapiSettings(duration_as_text=False, whole_floats=False, unknown_fields="ignore"))
    headers = {"Authorization": f"Bearer {emulator.settings.key}"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize("mode", MODES)
def test_the_emulator_and_the_published_schema_agree(client: httpx.Client, mode: str) -> None:
    schema = request_schema(mode)
    judge = Draft4Validator(schema, format_checker=checker())
    reply_judge = Draft4Validator(reply_schema(mode))
    models = [f"alibaba/wan-2-7-{other}" for other in MODES if other != mode]

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=bodies(schema))
    def agree(body: dict[str, Any]) -> None:
        if body.get("model") in models:
            return  # another file's business
        reply = client.post(PATH, json=body)
        errors = [error.message for error in judge.iter_errors(body)]
        assert reply.status_code == (400 if errors else 200), (errors, reply.text)
        if not errors:
            reply_judge.validate(reply.json())

    agree()


@pytest.mark.parametrize("mode", MODES)
def test_the_calls_in_the_published_files_are_accepted(mode: str) -> None:
    emulator = Aimlapi()
    headers = {"Authorization": f"Bearer {emulator.settings.key}"}
    shell = next(sample for sample in published(mode)["x-codeSamples"] if sample["lang"] == "cURL")["source"]
    body = shell.partition("--data '")[2].removesuffix("'").replace("\\'", "'")
    with emulator.served() as base_url:
        assert httpx.post(base_url + PATH, json=json.loads(body), headers=headers).status_code == 200


@pytest.mark.parametrize("end", [Phase.DONE, Phase.FAILED])
def test_every_status_fits_the_published_reply(end: Phase) -> None:
    judge = Draft4Validator(reply_schema("t2v"))
    emulator = Aimlapi(AimlapiSettings(script=Script(end=end), usage_at_end=True))
    headers = {"Authorization": f"Bearer {emulator.settings.key}"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers) as client:
        id = client.post(PATH, json={"model": "alibaba/wan-2-7-t2v", "prompt": "x"}).json()["id"]
        for _ in range(3):
            judge.validate(client.get(PATH, params={"generation_id": id}).json())
