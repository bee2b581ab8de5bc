"""What a service can do is found by its model and the mode, in one table."""

from __future__ import annotations

import pytest

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.models import find_capability, find_model, models_of
from storyreel.tasks.providers.provider import Provider
from tests.services.__main__ import SERVICES

HOSTED = sorted(SERVICES)


@pytest.mark.parametrize("name", HOSTED)
def test_without_a_name_a_service_makes_wan_2_7(name: str) -> None:
    service = load(name)
    assert next(iter(models_of(service))) == "wan2.7"
    assert find_model(service, None) == find_model(service, "wan2.7") == models_of(service)["wan2.7"]
    assert service.capabilities == models_of(service)["wan2.7"].modes


@pytest.mark.parametrize("name", HOSTED)
def test_every_id_that_is_sent_is_found_again_with_its_own_capability(name: str) -> None:
    service = load(name)
    for model in models_of(service).values():
        for mode, capability in model.modes.items():
            assert capability.mode is mode
            assert find_capability(service, capability.model, mode) == capability


def test_an_id_names_its_own_modes_alone() -> None:
    model = find_model(load("dashscope"), "wan2.7-i2v")
    assert model and set(model.modes) == {Mode.IMAGE}
    assert find_model(load("dashscope"), "wan-2-7") is None
    with pytest.raises(LookupError, match=r"dashscope has no wan2\.7-i2v for text-to-video"):
        find_capability(load("dashscope"), "wan2.7-i2v", Mode.TEXT)


def test_the_animatic_draws_whatever_model_the_others_make() -> None:
    assert find_capability(load("animatic"), "wan3.0-video", Mode.TEXT).draws_board


def test_a_service_of_another_package_that_has_capabilities_alone_has_one_model() -> None:
    able = {mode: Capability(mode=mode, model="sora-9") for mode in (Mode.TEXT, Mode.IMAGE)}

    class Single(Provider):
        name = "single"
        capabilities = able

    class Family(Provider):
        name = "family"
        capabilities = {mode: each.model_copy(update={"model": mode.value}) for mode, each in able.items()}  # noqa: RUF012

    assert list(models_of(Single)) == ["sora-9"] and list(models_of(Family)) == ["family"]
    for named in (None, "sora-9"):
        assert find_capability(Single, named, Mode.TEXT) is able[Mode.TEXT]
    assert find_capability(Family, "image-to-video", Mode.IMAGE).model == "image-to-video"
