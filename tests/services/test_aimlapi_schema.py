"""The emulator of AIMLAPI against its published OpenAPI files: both accept and refuse the same, and replies fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
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
            return st.integers(field.get("minimum"), field.get("maximum"))
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


def listing(name: str, path: str) -> tuple[dict[str, Any], Draft4Validator]:
    """The schemas of a list's parameters by name, and the judge of its replies."""
    get: dict[str, Any] = json.loads((FOLDER / name).read_text())["paths"][path]["get"]
    parameters = {each["name"]: each["schema"] for each in get["parameters"]}
    return parameters, Draft4Validator(_plain(get["responses"]["200"]["content"]["application/json"]["schema"]))


TIMES = st.sampled_from(["2026-07-01T00:00:00Z", "2026-07-28T00:00:00Z", "2026-10-01", "2026-11-29T12:00:00", "now"])
LOG_VALUES = {
    "period": st.sampled_from(["24h", "7d", "92d", "0d", "7", "1w", "2200h", "2209h"]),
    "start": TIMES,
    "end": TIMES,
    "key_prefix": st.sampled_from(["sk-emul", ""]),
    "model": st.sampled_from(["alibaba/wan-2-7-t2v", "wan-2-7-t2v", "a,b", ""]),
    "status": st.sampled_from(["succeeded", "failed", "succeeded,failed", "queued"]),
    "limit": st.one_of(st.integers(-2, 102).map(str), st.sampled_from(["ten", "1.5", ""])),
    "offset": st.one_of(st.integers(-2, 5).map(str), st.just("one")),
}


def fits_description(query: dict[str, str]) -> bool:
    """The prose of the parameters, which their schemas cannot say."""
    bounds = [name for name in ("start", "end") if name in query]
    if "period" in query:
        found = re.fullmatch("([1-9][0-9]*)([hd])", query["period"])
        return not bounds and found is not None and int(found[1]) * (1 if found[2] == "h" else 24) <= 92 * 24
    if len(bounds) < 2:
        return False
    try:
        start, end = (datetime.fromisoformat(query[name]).replace(tzinfo=None) for name in bounds)
    except ValueError:
        return False
    return timedelta(0) <= end - start <= timedelta(days=92)


def typed(schema: dict[str, Any], text: str) -> Any:
    return int(text) if schema["type"] == "integer" and re.fullmatch("-?[0-9]+", text) else text


def test_the_log_takes_the_published_parameters_and_gives_the_published_pages(client: httpx.Client) -> None:
    parameters, reply_judge = listing("aimlapi-logs-v2.json", "/v2/logs")
    assert parameters.keys() == LOG_VALUES.keys()
    assert client.post(PATH, json={"model": "alibaba/wan-2-7-t2v", "prompt": "x"}).status_code == 200
    some = {name: st.one_of(st.none(), values) for name, values in LOG_VALUES.items()}

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.fixed_dictionaries(some))
    def agree(values: dict[str, str | None]) -> None:
        query = {name: value for name, value in values.items() if value is not None}
        wrong = [
            name for name, text in query.items() if not Draft4Validator(parameters[name]).is_valid(
                typed(parameters[name], text))
        ]  # fmt: skip
        reply = client.get("/v2/logs", params=query)
        assert reply.status_code == (200 if not wrong and fits_description(query) else 400), (query, reply.text)
        if reply.status_code == 200:
            reply_judge.validate(reply.json())

    agree()


@pytest.mark.parametrize("end", [Phase.DONE, Phase.FAILED])
def test_a_row_of_the_log_fits_the_published_one(end: Phase) -> None:
    _, judge = listing("aimlapi-logs-v2.json", "/v2/logs")
    emulator = Aimlapi(AimlapiSettings(script=Script(waiting=0, running=0, end=end)))
    headers = {"Authorization": f"Bearer {emulator.settings.key}"}
    with emulator.served() as base_url, httpx.Client(base_url=base_url, headers=headers) as client:
        body = {"model": "alibaba/wan-2-7-t2v", "prompt": "x"}
        for id in ("order-8f21c4", "not one: it has spaces", "x" * 129, "k" * 64):
            client.post(PATH, json=body, headers={"X-Client-Request-Id": id})
        page = client.get("/v2/logs", params={"period": "1h", "limit": 3}).json()
        rest = client.get("/v2/logs", params={"period": "1h", "limit": 3, "offset": 3}).json()
    judge.validate(page)
    judge.validate(rest)
    assert [row["client_request_id"] for row in page["data"] + rest["data"]] == ["k" * 64, None, None, "order-8f21c4"]
    assert {row["cost"]["usd"] > 0 for row in page["data"]} == {end is Phase.DONE}
    assert (page["pagination"]["has_more"], rest["pagination"]["has_more"]) == (True, False)


def test_the_catalogue_of_models_is_as_published_and_needs_no_key() -> None:
    parameters, judge = listing("aimlapi-models.json", "/v1/models")
    with Aimlapi().served() as base_url, httpx.Client(base_url=base_url) as client:
        everything = client.get("/v1/models")
        for query in ({}, {"include": "pricing"}, {"include": "pricing,capabilities,nonsense"}, {"details": "true"}):
            assert query.keys() <= parameters.keys()
            judge.validate(client.get("/v1/models", params=query).json())
        named = client.get("/v1/models", params={"id": "wan-2-7-i2v,ALIBABA/WAN-2-7-T2V", "include": "pricing"})
        again = client.get("/v1/models", headers={"If-None-Match": everything.headers["etag"]})
    assert "pricing" not in everything.text and len(everything.json()["data"]) > 3
    assert [entry["id"] for entry in named.json()["data"]] == ["alibaba/wan-2-7-i2v", "alibaba/wan-2-7-t2v"]
    assert all(entry["pricing"]["kind"] == "variants" for entry in named.json()["data"])
    assert (again.status_code, again.content) == (304, b"")


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
