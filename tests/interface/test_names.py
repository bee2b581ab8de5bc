"""The public names: cheap to import, complete, documented; errors that travel between processes."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import storyreel

HEAVY = ("prefect", "sqlalchemy", "av", "PIL", "httpx", "pydantic")
SOURCE = ast.parse(Path(storyreel.__file__).read_text("utf-8"))


def _imported_after(program: str) -> list[str]:
    ask = f"{program}; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout
    found: list[str] = ast.literal_eval(printed)
    return found


def test_the_package_imports_nothing_heavy() -> None:
    assert _imported_after("import storyreel") == []


def test_the_tests_for_services_say_what_they_need() -> None:
    program = "import sys; sys.modules['pytest_asyncio'] = None; import storyreel.testing"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "needs pytest_asyncio, which is not installed; next: pip install 'storyreel[testing]'" in done.stderr


def test_a_plan_needs_no_prefect() -> None:
    hello = Path(storyreel.__file__).parent / "specs" / "examples" / "hello.yaml"
    assert "prefect" not in _imported_after(f"import storyreel; storyreel.plan({str(hello)!r})")


def test_every_name_is_found_where_type_checkers_are_told_that_it_is() -> None:
    imported = {
        (alias.name, f"storyreel.{module}")
        for module, names in storyreel._MODULES.items()
        for alias in (ast.alias(name) for name in names)
    }
    declared = {
        (alias.name, node.module)
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("storyreel.")
        for alias in node.names
    }
    assert imported == declared
    assert sorted(name for name, _ in declared) == storyreel.__all__


@pytest.mark.parametrize("name", storyreel.__all__)
def test_every_name_has_a_docstring(name: str) -> None:
    assert name in dir(storyreel)
    assert getattr(storyreel, name).__doc__


def test_what_there_is_not_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'storyreel' has no attribute 'nothing'"):
        storyreel.nothing  # type: ignore[attr-defined]  # noqa: B018


CLASSES = [(name, found) for name in storyreel.__all__ if isinstance(found := getattr(storyreel, name), type)]
ERRORS = [name for name, found in CLASSES if issubclass(found, Exception)]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_keeps_what_it_says_between_processes(name: str) -> None:
    kind: type[storyreel.StoryreelError] = getattr(storyreel, name)
    assert issubclass(kind, storyreel.StoryreelError)
    error = kind.__new__(kind, "gone")
    error.__dict__.update(message="gone", hint="look again", next="storyreel plan", extra=(1, 2))
    travelled = pickle.loads(pickle.dumps(error))
    assert type(travelled) is kind and vars(travelled) == vars(error)
    assert str(travelled) == str(error)
