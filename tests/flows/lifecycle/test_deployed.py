"""Limits of a form: a storyboard, or variables, other than the deployment's own reach no other file of its host."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.flows.deployed import Deployed

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Of a form
format: {fps: 12}
shots: [{shot: 1A, action: She climbs., duration: 1s, first_frame: ../secret.png}]
"""


async def test_a_storyboard_that_a_form_names_reaches_only_what_is_beside_it(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), "black").save(tmp_path / "secret.png")
    own, other = tmp_path / "film" / "film.yaml", tmp_path / "other" / "film.yaml"
    for file in (own, other):
        file.parent.mkdir()
        file.write_text(FILM)
    deployed = await Deployed.of(own, "Of a form")
    told = await deployed.state(await deployed.begin())
    assert told.name == "Completed", "the author of the deployment may name any file of the host"
    for given in (str(other), f"{own.parent}/../other/film.yaml", f"file://{other}"):
        told = await deployed.state(await deployed.begin(storyboard=given))
        assert told.name == "Failed" and "film.yaml:4:68: `../secret.png` is not beside" in str(told.message), given
    other.write_text(FILM.replace("../secret.png", "a.png"))
    Image.new("RGB", (320, 240), "teal").save(other.parent / "a.png")
    elsewhere = {"storyboard": str(other), "out": str(other.parent / "out")}
    assert (await deployed.state(await deployed.begin(**elsewhere))).name == "Completed"


async def test_a_variable_that_a_form_sets_leads_to_no_other_file(tmp_path: Path) -> None:
    for name in ("own.png", "secret.png", "film/beside.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (320, 240), "black").save(tmp_path / name)
    film = tmp_path / "film" / "film.yaml"
    text = FILM.replace("format:", "vars: {who: ../own, title: x}\nformat:").replace("../secret.png", "'${who}.png'")
    film.write_text(text.replace("Of a form", "'Of ${title}'"))
    deployed = await Deployed.of(film, "Of a form", vars={"who": "../own"})
    for who, is_made in (("../own", True), ("beside", True), ("../secret", False)):
        told = await deployed.state(await deployed.begin(vars={"who": who, "title": who.strip("./")}))
        assert (told.name == "Completed") is is_made, (who, told)
    assert "`../secret.png` is not beside the storyboard" in str(told.message)
