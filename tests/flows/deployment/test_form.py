"""The form of a film's deployment: what Prefect's server accepts by it is what a run of the film can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st
from prefect.utilities.schema_tools import ValidationError, validate

from storyreel.flows.commands.options import plan_of
from storyreel.flows.deployment.form import form_of
from storyreel.flows.deployment.request import DeploymentRequest, FilmOptions
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.ceiling import Ceiling
from storyreel.flows.render import render_storyboard
from storyreel.specs.money import parse_money

FILM = """\
storyboard: 1
title: Forms
vars: {city: Paris, takes: 2}
defaults: {provider: apiyi, duration: 2s}
scenes:
  - scene: 1
    shots:
      - {shot: 1A, action: "A lamp in ${city}."}
      - {shot: 1B, action: She waits., continues: 1A}
  - scene: harbour
    shots:
      - shot: 夜-2
        action: The sea.
        takes: ${takes}
"""

Fields = Callable[..., dict[str, Any]]


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., DeploymentRequest]:
    def make(film: str = FILM, spread: Any = "none", **given: Any) -> DeploymentRequest:
        (file := tmp_path / "film.yaml").write_text(film)
        run = RunRequest(storyboard=file, **given)
        asked = {"options": FilmOptions(storyboard=file), "ceiling": Ceiling(), "name": "forms", "overlap": "wait"}
        return DeploymentRequest(run=run, plan=plan_of(run).plan, spread=spread, **asked)

    return make


@pytest.fixture
def fields(request_of: Callable[..., DeploymentRequest]) -> Fields:
    def read(film: str = FILM, environment: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = form_of(request_of(film, **given), environment or {})["properties"]
        return found

    return read


def accepts(field: dict[str, Any], value: object) -> bool:
    try:
        validate({"value": value}, {"type": "object", "properties": {"value": field}}, raise_on_error=True)
    except ValidationError:
        return False
    return True


def test_the_form_has_what_a_person_decides_and_nothing_that_only_storyreel_passes(fields: Fields) -> None:
    assert list(fields()) == ["vars", "select", "provider", "budget", "out"]
    assert list(fields(spread="scenes")) == ["vars", "select", "provider", "budget", "out", "spread"]
    without = FILM.replace("vars: {city: Paris, takes: 2}\n", "").replace("${city}", "Rome").replace("${takes}", "2")
    assert "vars" not in fields(without)
    drafted = fields(FILM.replace("title:", "draft: {provider: dashscope}\ntitle:"))
    assert drafted["draft"]["type"] == "boolean" and "draft:approved" in drafted["select"]["items"]["enum"]
    assert "dashscope" in drafted["provider"]["enum"], "a run may be told to make the draft"
    for name, field in fields().items():
        assert field["description"] and "agreed" not in name


def test_each_variable_has_its_value_and_no_other_name_is_taken(fields: Fields) -> None:
    film = fields(vars={"city": "Lyon"})["vars"]
    assert {name: field["default"] for name, field in film["properties"].items()} == {"city": "Lyon", "takes": "2"}
    assert accepts(film, {"city": "Rome", "takes": "3"}) and accepts(film, {"takes": "20"})
    for wrong in ({"ctiy": "Rome"}, {"takes": "21"}, {"takes": "many"}, {"city": 3}):
        assert not accepts(film, wrong), wrong


def test_every_choice_of_shots_is_one_that_a_run_reads(
    fields: Fields, request_of: Callable[..., DeploymentRequest]
) -> None:
    select = fields()["select"]
    offered = select["items"]["enum"]
    assert offered[:6] == ["1A", "1B", "夜-2", "1A+", "scene:1", "scene:harbour"]
    for term in offered:
        request_of(selection=(term,))
    for other in ("1C", "scene:2", "state:lost"):
        assert not accepts(select, [other])
        with pytest.raises(typer.BadParameter):
            request_of(selection=(other,))


def test_stills_and_sheets_are_among_the_choices_of_shots(
    fields: Fields, request_of: Callable[..., DeploymentRequest]
) -> None:
    film = FILM.replace("provider: apiyi,", "provider: dashscope, cast: [ana], still: true,")
    film = film.replace("scenes:", "cast: {ana: {description: a keeper, sheet: true}}\nscenes:", 1)
    select = fields(film)["select"]
    assert accepts(select, ["1A@still", "ana@sheet", "stills", "夜-2@still"]) and not accepts(select, ["1B@still"])
    for term in select["items"]["enum"]:
        request_of(film, selection=(term,))


def test_the_shots_that_a_film_is_deployed_with_are_among_its_choices(fields: Fields) -> None:
    offered = fields(selection=("1B+, 1A", "state:new"))["select"]["items"]["enum"]
    assert {"1B+", "1A", "state:new"} <= set(offered) and len(offered) == len(set(offered))


def test_a_film_of_very_many_shots_takes_free_texts(fields: Fields) -> None:
    shots = "".join(f"  - {{shot: S{n}, action: A lamp.}}\n" for n in range(600))
    select = fields(f"storyboard: 1\ntitle: Long\ndefaults: {{duration: 1s}}\nshots:\n{shots}")["select"]
    assert "enum" not in select["items"] and accepts(select, ["S599"])


def test_services_with_a_key_and_those_of_the_film_are_offered(fields: Fields) -> None:
    assert fields()["provider"]["enum"] == ["animatic", "apiyi"]
    assert fields(environment={"FREEPIK_API_KEY": "k"})["provider"]["enum"] == ["animatic", "apiyi", "freepik"]
    assert not accepts(fields()["provider"], "freepik")
    chosen = fields(provider="animatic")["provider"]
    assert accepts(chosen, None) and accepts(chosen, "animatic"), "the storyboard's own services can be had again"


BUDGET = {"type": "string", **{key: render_storyboard.parameters.properties["budget"][key] for key in ("if", "then")}}
AMOUNTS = st.one_of(
    st.text("0123456789.,- $€USDEURx¥\n", max_size=12),
    st.from_regex(r"(USD|EUR|\$)? ?[0-9]{1,13}(\.[0-9]{1,7})? ?(USD|EUR|€)?", fullmatch=True),
)


@given(AMOUNTS)
@example("lots")
@example("")
@example("20")
@example("¥20")
def test_the_form_accepts_the_amounts_that_a_run_reads_and_says_what_an_amount_is(text: str) -> None:
    for form in (render_storyboard.parameters.properties["budget"], BUDGET):
        try:
            parse_money(text)
        except ValueError as error:
            if "two currencies" not in str(error):
                assert not accepts(form, text)
        else:
            assert accepts(form, text)
    assert accepts(BUDGET, None)


def test_a_wrong_amount_is_told_what_an_amount_is(fields: Fields) -> None:
    for form in (fields()["budget"], render_storyboard.parameters.properties["budget"]):
        with pytest.raises(ValidationError, match="'an amount of money such as 20 USD, 150 CNY or \\$20' was expected"):
            validate({"budget": "lots"}, {"type": "object", "properties": {"budget": form}}, raise_on_error=True)


async def test_a_run_that_was_given_a_wrong_amount_all_the_same_says_it_too(prefect_server: str) -> None:
    with pytest.raises(Exception, match="this is not an amount of money; write for example `20 USD`"):
        await render_storyboard("film.yaml", budget="lots")


def test_the_deliverables_of_a_film_are_offered_and_none_of_them(fields: Fields) -> None:
    assert "deliverables" not in fields()
    offered = fields(FILM.replace("vars:", "deliverables: [{name: web}, {name: phone}]\nvars:"))["deliverables"]
    assert offered["items"]["enum"] == ["web", "phone", "none"]
