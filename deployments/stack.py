"""All the parts of deployments/compose.yaml on one machine, without containers.

    uv run python -m deployments.stack up --folder DIR [--workers 2]
    uv run python -m deployments.stack status --folder DIR
    uv run python -m deployments.stack down --folder DIR

A Prefect server on PostgreSQL and Redis, its background services as a process of their own, a bucket, a player, and
workers of a process pool, all of it on free ports of this machine; data, logs and pid files are in DIR. A second `up`
starts what is not running. `down` stops everything and keeps the data. The workers get the keys of the caller's
environment.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import redis

from deployments import postgresql
from deployments.postgresql import PostgreSQL
from deployments.processes import Part, Processes, plain_environment, wait_for
from storyreel.flows.player.links import answers
from storyreel.flows.servers.local import free_port, probe
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home

_START_SECONDS = 120
"""Seconds that a part may take to start; Prefect first creates its tables."""
_STOP_SECONDS = 40
"""Seconds that a part may take to stop; a worker first hands its runs over."""
_CONSUMERS = {"event-persister", "task-run-recorder", "reactive-triggers"}
"""Prefect's services that read events from Redis, by the names of their consumer groups."""
_QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


class Unusable(StoryreelError):
    """A program that a part needs is not installed, or the folder cannot be used."""


class Ports(Frozen):
    """The ports of the parts and their password; stored in the folder, so that they stay the same."""

    api: int
    postgresql: int
    redis: int
    bucket: int
    player: int
    password: str

    @classmethod
    def of(cls, folder: Path) -> Ports:
        """Those of a folder, chosen at its first use."""
        stored = folder / "stack.json"
        known = json.loads(stored.read_text()) if stored.exists() else {}
        ports = {name: free_port() for name in cls.model_fields if name != "password"}
        chosen = cls.model_validate({**ports, "password": secrets.token_hex(16), **known})
        stored.touch(mode=0o600)
        stored.write_text(chosen.model_dump_json())
        return chosen


class Stack:
    """The parts of one folder."""

    def __init__(self, folder: Path, *, pool: str = "storyreel", clips_url: str = "", apart: bool = False) -> None:
        """`clips_url`: an existing bucket. `apart`: each worker gets its own host name."""
        self.folder, self.pool, self._clips_url, self._apart = folder.absolute(), pool, clips_url, apart
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = Ports.of(self.folder)
        self.processes = Processes(self.folder)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports.api}/api"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a client of the stack sets."""
        common = {
            "PREFECT_API_URL": self.api,
            "STORYREEL_LEDGER_URL": self.database.url("storyreel"),
            "STORYREEL_PLAYER_URL": f"http://127.0.0.1:{self.ports.player}",
            "STORYREEL_PLAYER_SECRET": self.ports.password,
        }
        if self._clips_url:
            return {**common, "STORYREEL_CLIPS_URL": self._clips_url}
        return {
            **common,
            "STORYREEL_CLIPS_URL": "s3://storyreel/clips",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.ports.bucket}",
            "AWS_ACCESS_KEY_ID": "storyreel",
            "AWS_SECRET_ACCESS_KEY": self.ports.password,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def database(self) -> PostgreSQL:
        """The server of the databases `prefect` and `storyreel`."""
        programs = postgresql.programs() or Path()
        options = {"max_connections": 200}
        return PostgreSQL(programs, self.folder / "postgresql", self.ports.postgresql, self.ports.password, options)

    def up(self, workers: int) -> None:
        """Start what is not running. Raises Unusable before anything is started, or RuntimeError."""
        self._check_requirements()
        self._start_stores()
        server = {**plain_environment(), **_QUIET, **self.server_settings()}
        prefect = (sys.executable, "-P", "-m", "prefect", "server")
        start = (*prefect, "start", "--host", "127.0.0.1", "--port", str(self.ports.api), "--no-services")
        self.processes.start(Part(name="server", command=start, environment=server, folder=self.folder / "server"))
        wait_for("Prefect's API", lambda: probe(self.ports.api) == "prefect", self.processes, "server", _START_SECONDS)
        services = (*prefect, "services", "start")
        self.processes.start(Part(name="services", command=services, environment=server, folder=self.folder / "server"))
        wait_for("Prefect's services", self._services_listen, self.processes, "services", _START_SECONDS)
        self._start_player()
        self._ask("work_pools/", {"name": self.pool, "type": "process"}, allowed=(409,))
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        for name in names:
            self.start_worker(name)
        for name in names:
            wait_for(name, partial(self._is_online, name), self.processes, name, _START_SECONDS)

    def start_worker(self, name: str) -> None:
        """Start a worker with its own home, as on its own host."""
        home = self.folder / name
        environment = {**plain_environment(), **self._keys(), **_QUIET, **self.environment,
                       "STORYREEL_HOME": str(home / "storyreel"), "PREFECT_HOME": str(home / "prefect")}  # fmt: skip
        handing_over = (sys.executable, str(Path(__file__).with_name("worker.py")))
        command = (sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", self.pool, "--name", name)
        as_root = ("--map-root-user",) if os.geteuid() else ()
        alone = ("unshare", *as_root, "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name) if self._apart else ()
        self.processes.start(
            Part(name=name, command=(*alone, *handing_over, *command), environment=environment, folder=home)
        )

    def status(self) -> list[tuple[str, int | None]]:
        """Names of the started parts in order, with their process ids; None if a part has ended by itself."""
        found = [(name, self.processes.find(name)) for name in reversed(self.processes.names())]
        return [(name, process.pid if process else None) for name, process in found]

    def down(self) -> None:
        """Stop all parts, the last first; also after an `up` that failed."""
        for name in self.processes.names():
            self.processes.stop(name, _STOP_SECONDS)

    def server_settings(self) -> dict[str, str]:
        """Settings of the server, as in compose.yaml: PostgreSQL as database, Redis for messages."""
        redis = {"HOST": "127.0.0.1", "PORT": str(self.ports.redis), "PASSWORD": self.ports.password}
        return {
            "PREFECT_HOME": str(self.folder / "server" / "prefect"),
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database.url("prefect", "postgresql+asyncpg"),
            "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            **{f"PREFECT_REDIS_MESSAGING_{name}": value for name, value in redis.items()},
            # Events are sent one by one: prefect-redis 0.3.0 loses those that arrive while a batch is sent by time.
            "PREFECT_REDIS_MESSAGING_PUBLISHER_BATCH_SIZE": "1",
            "PREFECT_REDIS_MESSAGING_PUBLISHER_PUBLISH_EVERY": "86400",
            "PREFECT_SERVER_DOCKET_URL": f"redis://:{self.ports.password}@127.0.0.1:{self.ports.redis}/1",
            "PREFECT_UI_API_URL": self.api,
            # A service that does not reach PostgreSQL in time at its start ends silently (seen with 3.9.1, whose limits
            # are 5 and 10 s).
            "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
            # By default each event is recorded in a transaction of its own, which cannot keep up with some twenty films
            # at once. At most the events of a second are read and not yet written.
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
            "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
        }

    def _start_stores(self) -> None:
        database = self.database
        database.folder.mkdir(parents=True, exist_ok=True)
        database.create()
        user, command = postgresql.other_user(), tuple(database.command)
        self.processes.start(
            Part(name="postgresql", command=command, folder=database.folder, as_user=user, stop_signal=signal.SIGINT)
        )
        self._start_redis()
        wait_for("Redis", self._redis_answers, self.processes, "redis", _START_SECONDS)
        wait_for("PostgreSQL", database.answers, self.processes, "postgresql", _START_SECONDS)
        for name in ("prefect", "storyreel"):
            database.ensure_database(name)
        if not self._clips_url:
            self._start_bucket()

    def _start_player(self) -> None:
        """Start the player, which opens the bucket alone: neither the ledger nor a service."""
        folder, port = self.folder / "player", self.ports.player
        of_bucket = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        settings = {name: value for name, value in self.environment.items() if name != "STORYREEL_LEDGER_URL"}
        environment = {**plain_environment(), **of_bucket, **settings, "STORYREEL_HOME": str(folder / "storyreel")}
        command = (str(Path(sys.executable).with_name("storyreel")), "player", "--port", str(port))
        self.processes.start(Part(name="player", command=command, environment=environment, folder=folder))
        is_up = partial(answers, Home.of(environment), port, environment)
        wait_for("the player", is_up, self.processes, "player", _START_SECONDS)

    def _start_redis(self) -> None:
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        config = folder / "redis.conf"  # every user could read a password on the command line
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {self.ports.redis}\nrequirepass {self.ports.password}\nappendonly yes\n"
            # Of a Redis that is killed, the leases of places that were taken in its last second would be lost.
            "appendfsync always\n"
        )
        command = ("redis-server", str(config))
        self.processes.start(Part(name="redis", command=command, folder=folder))

    def _redis_answers(self) -> bool:
        with self._redis() as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False

    def _services_listen(self) -> bool:
        """Whether all of Prefect's event services read from Redis; their process goes on if one of them fails."""
        with self._redis() as client, suppress(redis.RedisError):
            return {group["name"] for group in client.xinfo_groups("events")} >= _CONSUMERS
        return False

    def _redis(self) -> redis.Redis:
        return redis.Redis(port=self.ports.redis, password=self.ports.password, decode_responses=True)

    def _start_bucket(self) -> None:
        """Start moto's server, an S3 bucket in memory, for trials and tests."""
        import s3fs

        command = (sys.executable, "-P", "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.ports.bucket))
        self.processes.start(Part(name="bucket", command=command, folder=self.folder / "bucket"))
        address = f"http://127.0.0.1:{self.ports.bucket}"

        def answers() -> bool:
            try:
                urlopen(f"{address}/moto-api/", timeout=1).close()
            except OSError:
                return False
            return True

        wait_for("the bucket", answers, self.processes, "bucket", _START_SECONDS)
        environment = self.environment
        files = s3fs.S3FileSystem(
            key=environment["AWS_ACCESS_KEY_ID"], secret=environment["AWS_SECRET_ACCESS_KEY"], endpoint_url=address,
            skip_instance_cache=True,
        )  # fmt: skip
        if not files.exists("storyreel"):
            files.mkdir("storyreel")

    def _keys(self) -> dict[str, str]:
        """The caller's variables for runs: keys, addresses of services and of a bucket, settings of Storyreel."""
        starts = ("STORYREEL_", "AWS_", "PREFECT_RUNNER_", "PREFECT_WORKER_", "PREFECT_FLOWS_")
        ends = ("_API_KEY", "_BASE_URL", "_SECRET", "_AT_ONCE")
        return {name: value for name, value in os.environ.items() if name.startswith(starts) or name.endswith(ends)}

    def _check_requirements(self) -> None:
        if postgresql.programs() is None:
            raise Unusable("PostgreSQL is not installed", next="apt-get install postgresql")
        if shutil.which("redis-server") is None:
            raise Unusable("redis-server is not installed", next="apt-get install redis-server")
        for module, extra in {"prefect_redis": "server", "psycopg": "postgres", "s3fs": "s3"}.items():
            if find_spec(module) is None:
                raise Unusable(f"{module} is not installed", next=f"pip install 'storyreel[{extra}]'")
        if not self._clips_url and find_spec("moto") is None:
            raise Unusable(
                "there is no bucket", next="name one with --clips s3://…, or pip install 'moto[server]' for trials"
            )
        if parent := postgresql.inaccessible_parent(self.folder / "postgresql"):
            raise Unusable(f"root runs PostgreSQL as another user, who may not enter {parent}", next="another --folder")

    def _is_online(self, worker: str) -> bool:
        found = self._ask(f"work_pools/{self.pool}/workers/filter", {})
        return any(each["name"] == worker and each["status"] == "ONLINE" for each in found)

    def _ask(self, path: str, body: object, allowed: Sequence[int] = ()) -> list[dict[str, str]]:
        """The answer of Prefect's API to a POST; empty if it is an error with a status in `allowed`."""
        request = Request(f"{self.api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=30) as answer:
                found: list[dict[str, str]] = json.load(answer)
                return found
        except HTTPError as refusal:
            if refusal.code not in allowed:
                raise RuntimeError(f"Prefect's API refuses {path}: {refusal.read().decode()}") from None
            return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("up", "status", "down"))
    parser.add_argument("--folder", type=Path, required=True, help="folder of data, logs and pid files")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pool", default="storyreel", help="name of the work pool")
    parser.add_argument("--clips", default="", help="an existing bucket, s3://…; by default one in memory")
    parser.add_argument("--hosts-apart", action="store_true", help="give each worker its own host name")
    arguments = parser.parse_args()
    if arguments.what != "up" and not (arguments.folder / "stack.json").exists():
        print(f"nothing was started in {arguments.folder}", file=sys.stderr)
        return 2
    stack = Stack(arguments.folder, pool=arguments.pool, clips_url=arguments.clips, apart=arguments.hosts_apart)
    if arguments.what == "down":
        stack.down()
        return 0
    try:
        if arguments.what == "up":
            stack.up(arguments.workers)
    except (Unusable, RuntimeError) as error:
        print(
            f"{error}\nto stop what was started: python -m deployments.stack down --folder {arguments.folder}",
            file=sys.stderr,
        )
        return 1
    parts = stack.status()
    for name, pid in parts:
        print(f"# {name:<12}{f'process {pid}' if pid else 'has ended: ' + str(stack.processes.log(name))}")
    for name, value in stack.environment.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0 if parts and all(pid for _, pid in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
