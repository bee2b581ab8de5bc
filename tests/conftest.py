"""Fixtures of all tests: no network but this machine, a home of their own, a Prefect of their own."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.properties import register_profiles

_GUARD = Path(__file__).parent / "guard"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background ignores Ctrl-C for them and for the commands that they stop by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(_GUARD))
import sitecustomize  # noqa: E402

if not hasattr(sitecustomize, "NetworkIsBlocked"):  # another sitecustomize was there first
    sys.modules.pop("sitecustomize")
    import sitecustomize

register_profiles()

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30


class _FilesInMemory:
    """Temporary files of a session in memory, where it has room for them: a disk is waited for at each commit of a
    database. `TMPDIR` says otherwise, as it does in xdist's workers."""

    def __init__(self) -> None:
        self.is_over = False
        """Whether all tests have passed, so that no file of theirs is looked at any more."""
        self._process = os.getpid()
        if "TMPDIR" not in os.environ and self._has_room():
            self._folder = Path(tempfile.mkdtemp(prefix="t-", dir=_MEMORY))
            self._folder.chmod(0o1777)  # as /tmp: PostgreSQL runs as a user of its own
            os.environ["TMPDIR"] = tempfile.tempdir = str(self._folder)
            # After what other modules remove of theirs when Python ends, as they register later.
            atexit.register(self._remove)

    @staticmethod
    def _has_room() -> bool:
        if not _MEMORY.is_dir():
            return False
        room = os.statvfs(_MEMORY)
        return room.f_bavail * room.f_frsize >= _ROOM and not room.f_flag & os.ST_NOEXEC

    def _remove(self) -> None:
        if self.is_over and os.getpid() == self._process:
            shutil.rmtree(self._folder, ignore_errors=True)


_in_memory = _FilesInMemory()

os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_GUARD), os.environ.get("PYTHONPATH"))))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kills 500` kills a run so often at random moments; a few in every run of the suite. `--matrix` runs every case
    of a matrix, and not only its sample. `--renew-pictures` writes what the browser shows into deployments/pictures."""
    parser.addoption("--kills", type=int, default=4, help="how often a run is killed at a random moment")
    parser.addoption("--matrix", action="store_true", help="run also the cases that are marked with `matrix`")
    parser.addoption("--renew-pictures", action="store_true", help="take the documentation's screenshots anew")


_LONGEST = (
    "test_spread", "test_stopping", "test_spreading", "test_deployments", "test_ui", "test_buying",
    "test_in_the_browser", "test_at_once", "test_leases", "test_killed", "test_lost", "test_approvals", "test_hosts",
    "test_server_away", "test_dead_workers", "test_places", "test_lost_slots", "test_four_services",
    "test_first_setup", "test_main", "test_suspend", "test_pages",
)  # fmt: skip
"""Files that take longest, from the longest down. Most of their time they wait for other processes and for clocks."""
_SPREAD_OVER = 0.7
"""Part of the other files before the last of those: what comes last takes long, or the end has one process at work."""


def pytest_configure(config: pytest.Config) -> None:
    """`pytest.mark.matrix`, on a test or one of its parameters, leaves that case to `--matrix`."""
    config.addinivalue_line("markers", "matrix: one of many similar cases, run with --matrix only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files come early and apart from each other, so that others use the processor while they wait. The
    others are in the order of their names, which mixes folders. Cases of a matrix are left out unless `--matrix` asks
    for them."""
    if not config.getoption("--matrix"):
        left_out = [item for item in items if item.get_closest_marker("matrix")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("matrix")]
    paths = {item.path for item in items}
    long = (path for path in paths if path.stem in _LONGEST)
    longest = sorted(long, key=lambda path: (_LONGEST.index(path.stem), path))
    others = sorted(paths - set(longest), key=lambda path: (path.name, path))
    apart = int(len(others) * _SPREAD_OVER) / max(len(longest), 1)
    places = {path: float(place) for place, path in enumerate(others)}
    places |= {path: place * apart - 1 for place, path in enumerate(longest)}
    items.sort(key=lambda item: (places[item.path], item.path))
    # Otherwise each full collection goes through all of them, and through what they import.
    gc.freeze()


def pytest_sessionfinish(exitstatus: int) -> None:
    """Have what was in memory stay there only if something has failed."""
    _in_memory.is_over = exitstatus == pytest.ExitCode.OK


def pytest_xdist_auto_num_workers() -> int | None:
    """One process more than cores: tests wait for other processes some of the time, and hardly for a disk."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """The number of kills that `--kills` asks for."""
    asked: int = request.config.getoption("--kills")
    return asked


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty STORYREEL_HOME; no variable of the user's reaches a test."""
    for name in [name for name in os.environ if name.startswith("STORYREEL_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("STORYREEL_HOME", str(folder))
    # Each drawing with dialogue would begin a process that speaks it.
    monkeypatch.setenv("STORYREEL_GUIDE_VOICE", "off")
    return folder


_STANDING = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def standing_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Prefect server's API, for everything that is not about the server's own life."""
    from tests.prefect_server import standing

    with standing() as api:
        request.config.stash[_STANDING] = api
        yield api


@pytest.fixture(scope="module", autouse=True)
def _limits_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs of other modules would wait for places: for a minute, where one who had them was killed."""
    yield
    if api := request.config.stash.get(_STANDING, ""):
        from tests.prefect_server import delete_limits

        delete_limits(api)


@pytest.fixture(scope="session")
def prefect_server(standing_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Flows of this process report to the standing server, with results kept apart from the user's."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    storage = tmp_path_factory.mktemp("results")
    with temporary_settings({PREFECT_API_URL: standing_server, PREFECT_LOCAL_STORAGE_PATH: storage}):
        yield
        APILogWorker.drain_all(timeout=5)
        EventsWorker.drain_all(timeout=5)


@pytest.fixture(scope="module", autouse=True)
def _events_go_to_the_server_of_their_module() -> Iterator[None]:
    """The sender of this process's events ends with the module: the next one may have another server."""
    yield
    if worker := sys.modules.get("prefect.events.worker"):
        worker.EventsWorker.drain_all(timeout=20, at_exit=False)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 on this machine, with the bucket `films` in it."""
    from tests.buckets import serving

    with serving() as address:
        yield address


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A folder of the bucket, with its address and credentials in the environment."""
    import s3fs

    from tests.buckets import environment

    for name, value in environment(s3).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    return f"s3://films/{tmp_path.name}/"


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 that nobody answers at, and that is not asked again and again."""
    import socket

    import s3fs

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def away(bucket: str, unanswered: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the bucket give no answer from now on."""
    return _moving(unanswered, monkeypatch)


@pytest.fixture
def back(bucket: str, s3: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let it answer again."""
    return _moving(s3, monkeypatch)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that have encoded a clip since the test began, one entry a clip."""
    runs: list[str] = []
    for module in (f"storyreel.tasks.join.{kind}" for kind in ("conform", "dissolve", "overlay")):
        run = __import__(module, fromlist=["run"]).run

        async def counted(*arguments: Any, _of: str = module, _run: Any = run, **named: Any) -> Any:
            runs.append(_of)
            return await _run(*arguments, **named)

        monkeypatch.setattr(f"{module}.run", counted)
    return runs


def _moving(address: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    import s3fs

    def move() -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        s3fs.S3FileSystem.clear_instance_cache()

    return move
