"""Environment variables: what is read, and what is said of a wrong value."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import storyreel
from storyreel.tasks.settings import ServiceSettings, Settings, SettingsError, service_variable, variables

NAMES = {variable.name for _, variable in variables()}


def test_without_variables_the_defaults_hold() -> None:
    settings = Settings.read({})
    assert settings.home == Path.home() / ".storyreel"
    assert settings.poll_seconds is None and settings.pickup_seconds == 60
    assert ServiceSettings.read("dashscope", {}) == ServiceSettings()


def test_empty_variables_count_as_not_set() -> None:
    assert Settings.read(dict.fromkeys(NAMES, " ")) == Settings.read({})


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("STORYREEL_POLL_SECONDS", "3s", "a number of seconds greater than 0"),
        ("STORYREEL_POLL_SECONDS", "0", "a number of seconds greater than 0"),
        ("STORYREEL_POLL_SECONDS", "inf", "a number of seconds greater than 0"),
        ("STORYREEL_PICKUP_SECONDS", "-1", "a number of seconds greater than 0"),
        ("STORYREEL_WEBHOOK_URL", "films.example/freepik", "an http or https address"),
        ("STORYREEL_HOME", "~no-such-user/films", "a folder"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_variable_value_and_what_is_expected(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.read({variable: value})
    assert wrong.value.message == f"{variable} must be {expected}, and is {value!r}"
    assert wrong.value.hint.startswith(f"for example {variable}=")
    assert pickle.loads(pickle.dumps(wrong.value)).variable == variable


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("MY_SERVICE_AT_ONCE", "0", "a whole number from 1 to 9999"),
        ("MY_SERVICE_AT_ONCE", "many", "a whole number from 1 to 9999"),
        ("MY_SERVICE_BASE_URL", "https://[::1", "an http or https address"),
    ],
)
def test_the_variables_of_a_service_are_called_after_it(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} must be {expected}, and is '"):
        ServiceSettings.read("my-service", {variable: value})


@pytest.mark.parametrize("url", ["ftp://me:hunter2@films.example", "films.example/?token=hunter2"])
def test_no_password_in_an_address_is_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="must be an http or https address;") as wrong:
        ServiceSettings.read("freepik", {"FREEPIK_BASE_URL": url})
    assert "hunter2" not in str(wrong.value)


def test_no_secret_is_shown_by_the_settings_themselves() -> None:
    secrets = {
        "STORYREEL_LEDGER_URL": "postgresql://me:hunter2@db/films",
        "FREEPIK_WEBHOOK_SECRET": "hunter2",
        "STORYREEL_CLIPS_URL": "ftp://me:hunter2@host/clips",
    }
    assert "hunter2" not in repr(Settings.read(secrets))
    assert "hunter2" not in repr(ServiceSettings.read("freepik", {"FREEPIK_API_KEY": "hunter2"}))


def test_every_variable_that_the_code_names_is_a_setting_with_a_description() -> None:
    root = Path(storyreel.__file__).parent
    files = [file for floor in ("specs", "tasks", "flows") for file in (root / floor).rglob("*.py")]
    named = {name for file in files for name in re.findall(r"STORYREEL_[A-Z_]+", file.read_text("utf-8"))}
    assert named == {name for name in NAMES if name.startswith("STORYREEL_")}
    for model in (Settings, ServiceSettings):
        assert all(variable.description and variable.default for _, variable in variables(model))


def test_a_services_name_makes_a_name_that_shells_take() -> None:
    assert service_variable("my-service.2", "API_KEY") == "MY_SERVICE_2_API_KEY"
