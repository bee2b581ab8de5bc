"""The base of the models: built when they are first used, described by their source when that is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Barrier
from typing import Any

import pytest
from pydantic import BaseModel, PrivateAttr, ValidationError

from storyreel.specs.frozen import Frozen, Trusted, field_descriptions

_THREADS = 8


class Named(Frozen):
    """A model."""

    name: str
    """What it is called."""
    size: int = 0


class Sized(Named):
    """A model of another."""

    size: int
    """How large it is,
    in metres."""


def test_fields_are_described_by_the_texts_below_them_those_of_bases_as_well() -> None:
    assert field_descriptions(Named) == {"name": "What it is called."}
    assert field_descriptions(Sized) == {"name": "What it is called.", "size": "How large it is,\nin metres."}


def test_threads_that_use_a_model_first_at_the_same_time_all_get_what_it_says() -> None:
    for _ in range(20):

        class Fresh(Named):
            size: int = 1
            depth: int

        together = Barrier(_THREADS)

        def make(depth: int, fresh: type[Fresh] = Fresh, together: Barrier = together) -> dict[str, object]:
            together.wait()
            return fresh.model_validate({"name": "a", "depth": depth}).model_dump()

        assert not Fresh.__pydantic_complete__, "nothing has used it"
        with ThreadPoolExecutor(_THREADS) as pool:
            made = list(pool.map(make, range(_THREADS)))
        assert made == [{"name": "a", "size": 1, "depth": depth} for depth in range(_THREADS)]


class Counting(Named):
    """A model with a part that is not a field."""

    _seen: list[str] = PrivateAttr(default_factory=list)


class Doubling(Named):
    """A model that remembers what it has worked out."""

    @cached_property
    def doubled(self) -> int:
        return 2 * self.size


class DoublingAndCounting(Doubling, Counting):
    """The same with a part that is not a field."""


@pytest.mark.parametrize(
    "original", [Named(name="a"), Named(name="a", size=2), Sized(name="b", size=1), Counting(name="c")]
)
@pytest.mark.parametrize("update", [None, {}, {"size": 7}, {"name": "other", "size": 0}])
@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_is_the_one_that_pydantic_makes(original: Named, update: dict[str, object] | None, deep: bool) -> None:
    made, expected = (
        original.model_copy(update=update, deep=deep),
        BaseModel.model_copy(original, update=update, deep=deep),
    )
    assert made == expected and made is not original
    assert made.model_fields_set == expected.model_fields_set
    assert made.model_dump(exclude_unset=True) == expected.model_dump(exclude_unset=True)
    assert repr(made) == repr(expected)
    with pytest.raises(ValidationError):
        made.size = 3
    assert original.model_fields_set == BaseModel.model_copy(original).model_fields_set


@pytest.mark.parametrize("kind", [Doubling, DoublingAndCounting])
@pytest.mark.parametrize("deep", [False, True])
def test_what_a_model_has_worked_out_is_not_in_a_copy_for_which_it_may_be_wrong(
    kind: type[Doubling], deep: bool
) -> None:
    original = kind(name="a", size=3)
    assert original.doubled == 6
    assert original.model_copy(update={"size": 4}, deep=deep).doubled == 8
    assert original.model_dump() == {"name": "a", "size": 3}


class Placed(Trusted):
    """A model that only code makes."""

    at: int
    of: Named
    words: tuple[str, ...] = ()


def test_what_only_code_makes_is_as_any_model_but_that_its_values_are_not_looked_at() -> None:
    """It lacks no field and has no other; what is read is checked."""
    placed = Placed(of=Named(name="a"), at=1)
    assert placed == Placed.model_validate_json(placed.model_dump_json())
    assert placed.model_dump_json() == '{"at":1,"of":{"name":"a","size":0},"words":[]}'
    assert (placed.model_copy(update={"at": 2}).at, placed.at) == (2, 1)
    wrongly: Any = {"of": Named(name="a"), "at": "unchecked"}
    assert Placed(**wrongly).at == "unchecked"
    with pytest.raises(TypeError, match=r"Placed .* of"):
        Placed(at=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Placed .* size"):
        Placed(at=1, of=Named(name="a"), size=2)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Placed.model_validate({"at": "one", "of": {"name": "a"}})
    with pytest.raises(ValidationError):
        setattr(placed, "at", 2)  # noqa: B010
