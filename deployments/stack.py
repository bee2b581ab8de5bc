"""All the parts of deployments/compose.yaml on one machine, without containers.

    uv run python -m deployments.stack up --folder DIR [--workers 2]
    uv run python -m deployments.stack status --folder DIR
    uv run python -m deployments.stack down --folder DIR

A Prefect server on PostgreSQL and Redis with its services apart, a bucket, and workers of one process pool. All of it
listens on this machine alone, on free ports; data, logs and pid files are in DIR. Given again, `up` starts what is
missing. `down` ends what was started and keeps the data. The workers have the keys of the caller's environment.
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
from storyreel.flows.servers.local import free_port, probe
from storyreel.specs.frozen import Frozen

_PATIENCE = 120
"""Seconds that a part may take to come up; Prefect first makes its tables."""
_GRACE = 40
"""Seconds that a part may take to end; a worker first hands its runs over."""
_LISTENERS = {"event-persister", "task-run-recorder", "reactive-triggers"}
"""Prefect's services that read events from Redis, by the names of their consumer groups."""
_QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


class Missing(Exception):
    """A program that a part needs is not installed, or a folder cannot be used."""


class Places(Frozen):
    """Where the parts are; kept in the folder, so that they are the same the next time."""

    api: int
    postgresql: int
    redis: int
    bucket: int
    password: str

    @classmethod
    def of(cls, folder: Path) -> Places:
        """Those of a folder, chosen when it is used first."""
        kept = folder / "stack.json"
        if kept.exists():
            return cls.model_validate_json(kept.read_text())
        made = cls(
            api=free_port(),
            postgresql=free_port(),
            redis=free_port(),
            bucket=free_port(),
            password=secrets.token_hex(16),
        )
        kept.touch(mode=0o600)
        kept.write_text(made.model_dump_json())
        return made


class Stack:
    """The parts of a folder. Raises Missing when they cannot be there."""

    def __init__(self, folder: Path, *, pool: str = "storyreel", clips_url: str = "", apart: bool = False) -> None:
        """`clips_url`: a bucket that is there already. `apart`: each worker has a host name of its own."""
        self.folder, self.pool, self._clips_url, self._apart = folder.absolute(), pool, clips_url, apart
        folder.mkdir(parents=True, exist_ok=True)
        self.places = Places.of(self.folder)
        self.processes = Processes(self.folder)

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"http://127.0.0.1:{self.places.api}/api"

    @property
    def environment(self) -> dict[str, str]:
        """What a client of the stack sets."""
        told = {"PREFECT_API_URL": self.api, "STORYREEL_LEDGER_URL": self.database.url("storyreel")}
        if self._clips_url:
            return {**told, "STORYREEL_CLIPS_URL": self._clips_url}
        return {
            **told,
            "STORYREEL_CLIPS_URL": "s3://storyreel/clips",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.places.bucket}",
            "AWS_ACCESS_KEY_ID": "storyreel",
            "AWS_SECRET_ACCESS_KEY": self.places.password,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def database(self) -> PostgreSQL:
        """The server of both databases, `prefect` and `storyreel`."""
        programs = postgresql.programs() or Path()
        options = {"max_connections": 200}
        return PostgreSQL(programs, self.folder / "postgresql", self.places.postgresql, self.places.password, options)

    def up(self, workers: int) -> None:
        """Start what is not running, each when what it needs answers. Raises Missing before, RuntimeError meanwhile."""
        self._insist_on_programs()
        self._start_stores()
        server = {**plain_environment(), **_QUIET, **self.server_settings()}
        prefect = (sys.executable, "-P", "-m", "prefect", "server")
        start = (*prefect, "start", "--host", "127.0.0.1", "--port", str(self.places.api), "--no-services")
        self.processes.begin(Part(name="server", command=start, environment=server, folder=self.folder / "server"))
        wait_for("Prefect's API", self._api_answers, self.processes, "server", _PATIENCE)
        services = (*prefect, "services", "start")
        self.processes.begin(Part(name="services", command=services, environment=server, folder=self.folder / "server"))
        wait_for("Prefect's services", self._services_listen, self.processes, "services", _PATIENCE)
        self._ask("work_pools/", {"name": self.pool, "type": "process"}, allowed=(409,))
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        for name in names:
            self.start_worker(name)
        for name in names:
            wait_for(name, partial(self._is_online, name), self.processes, name, _PATIENCE)

    def start_worker(self, name: str) -> None:
        """A worker with a home of its own, as if it were alone on a host."""
        home = self.folder / name
        environment = {**plain_environment(), **self._keys(), **_QUIET, **self.environment,
                       "STORYREEL_HOME": str(home / "storyreel"), "PREFECT_HOME": str(home / "prefect")}  # fmt: skip
        handing_over = (sys.executable, str(Path(__file__).with_name("worker.py")))
        command = (sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", self.pool, "--name", name)
        as_root = ("--map-root-user",) if os.geteuid() else ()
        alone = ("unshare", *as_root, "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name) if self._apart else ()
        self.processes.begin(
            Part(name=name, command=(*alone, *handing_over, *command), environment=environment, folder=home)
        )

    def status(self) -> list[tuple[str, int | None]]:
        """What was started, in that order, and its process id; None for what has ended by itself."""
        found = [(name, self.processes.find(name)) for name in reversed(self.processes.names())]
        return [(name, process.pid if process else None) for name, process in found]

    def down(self) -> None:
        """End what was started, the last first; also after an `up` that failed half-way."""
        for name in self.processes.names():
            self.processes.end(name, _GRACE)

    def server_settings(self) -> dict[str, str]:
        """As in compose.yaml: PostgreSQL under the server, Redis between its parts."""
        redis = {"HOST": "127.0.0.1", "PORT": str(self.places.redis), "PASSWORD": self.places.password}
        return {
            "PREFECT_HOME": str(self.folder / "server" / "prefect"),
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database.url("prefect", "postgresql+asyncpg"),
            "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            **{f"PREFECT_REDIS_MESSAGING_{name}": value for name, value in redis.items()},
            # Each event by itself and at once: what comes while a batch is sent that was due by time is lost by
            # prefect-redis 0.3.0.
            "PREFECT_REDIS_MESSAGING_PUBLISHER_BATCH_SIZE": "1",
            "PREFECT_REDIS_MESSAGING_PUBLISHER_PUBLISH_EVERY": "86400",
            "PREFECT_SERVER_DOCKET_URL": f"redis://:{self.places.password}@127.0.0.1:{self.places.redis}/1",
            "PREFECT_UI_API_URL": self.api,
            # A service that cannot reach PostgreSQL in time when it starts is gone for good, without a word (seen with
            # 3.9.1, whose limits are 5 and 10 s).
            "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
            # By default each event is read by itself and recorded in a transaction of its own: some twenty films at
            # once tell more than that can keep up with. What is read and not yet written is a second's at most.
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
        self.processes.begin(
            Part(
                name="postgresql",
                command=tuple(database.command),
                environment=plain_environment(),
                folder=database.folder,
                as_user=postgresql.other_user(),
                goodbye=signal.SIGINT,
            )
        )
        self._start_redis()
        wait_for("Redis", self._redis_answers, self.processes, "redis", _PATIENCE)
        wait_for("PostgreSQL", database.answers, self.processes, "postgresql", _PATIENCE)
        for name in ("prefect", "storyreel"):
            database.ensure_database(name)
        if not self._clips_url:
            self._start_bucket()

    def _start_redis(self) -> None:
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        told = folder / "redis.conf"  # a password on the command line could be read by all
        told.touch(mode=0o600)
        told.write_text(
            f"bind 127.0.0.1\nport {self.places.redis}\nrequirepass {self.places.password}\nappendonly yes\n"
        )
        command = ("redis-server", str(told))
        self.processes.begin(Part(name="redis", command=command, environment=plain_environment(), folder=folder))

    def _api_answers(self) -> bool:
        return probe(self.places.api) == "prefect"

    def _redis_answers(self) -> bool:
        with self._redis() as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False

    def _services_listen(self) -> bool:
        """Whether events are recorded and looked at by automations; their process runs on when one of them fails."""
        with self._redis() as client, suppress(redis.RedisError):
            return {group["name"] for group in client.xinfo_groups("events")} >= _LISTENERS
        return False

    def _redis(self) -> redis.Redis:
        return redis.Redis(port=self.places.redis, password=self.places.password, decode_responses=True)

    def _start_bucket(self) -> None:
        """moto's server, which keeps everything in memory: for trying and for tests."""
        import s3fs

        command = (sys.executable, "-P", "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.places.bucket))
        self.processes.begin(
            Part(name="bucket", command=command, environment=plain_environment(), folder=self.folder / "bucket")
        )
        address = f"http://127.0.0.1:{self.places.bucket}"

        def there() -> bool:
            try:
                urlopen(f"{address}/moto-api/", timeout=1).close()
            except OSError:
                return False
            return True

        wait_for("the bucket", there, self.processes, "bucket", _PATIENCE)
        told = self.environment
        files = s3fs.S3FileSystem(
            key=told["AWS_ACCESS_KEY_ID"], secret=told["AWS_SECRET_ACCESS_KEY"], endpoint_url=address,
            skip_instance_cache=True,
        )  # fmt: skip
        if not files.exists("storyreel"):
            files.mkdir("storyreel")

    def _keys(self) -> dict[str, str]:
        """What the caller has set for runs: keys, addresses of services and of a real bucket, Storyreel's variables."""
        meant = ("STORYREEL_", "AWS_", "PREFECT_RUNNER_", "PREFECT_WORKER_", "PREFECT_FLOWS_")
        ends = ("_API_KEY", "_BASE_URL", "_SECRET", "_AT_ONCE")
        return {name: value for name, value in os.environ.items() if name.startswith(meant) or name.endswith(ends)}

    def _insist_on_programs(self) -> None:
        if postgresql.programs() is None:
            raise Missing("PostgreSQL is not installed\nnext: apt-get install postgresql")
        if shutil.which("redis-server") is None:
            raise Missing("redis-server is not installed\nnext: apt-get install redis-server")
        for module, bring in {"prefect_redis": "server", "psycopg": "postgres", "s3fs": "s3"}.items():
            if find_spec(module) is None:
                raise Missing(f"{module} is not installed\nnext: pip install 'storyreel[{bring}]'")
        if not self._clips_url and find_spec("moto") is None:
            raise Missing(
                "there is no bucket\nnext: name one by --clips s3://…, or pip install 'moto[server]' for trying"
            )
        if barred := postgresql.barred(self.folder / "postgresql"):
            raise Missing(f"root runs PostgreSQL as another user, who may not enter {barred}\nnext: another --folder")

    def _is_online(self, worker: str) -> bool:
        found = self._ask(f"work_pools/{self.pool}/workers/filter", {})
        return any(each["name"] == worker and each["status"] == "ONLINE" for each in found)

    def _ask(self, path: str, body: object, allowed: Sequence[int] = ()) -> list[dict[str, str]]:
        """What Prefect's API answers to a POST; nothing to one that it may refuse."""
        asked = Request(f"{self.api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urlopen(asked, timeout=30) as answer:
                found: list[dict[str, str]] = json.load(answer)
                return found
        except HTTPError as refusal:
            if refusal.code not in allowed:
                raise RuntimeError(f"Prefect's API refuses {path}: {refusal.read().decode()}") from None
            return []


def _is_missing(module: str) -> bool:
    return find_spec(module) is None


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("up", "status", "down"))
    parser.add_argument("--folder", type=Path, required=True, help="where data, logs and pid files are kept")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pool", default="storyreel", help="the work pool that the workers belong to")
    parser.add_argument("--clips", default="", help="a bucket that is there: s3://…; else one for trying, in memory")
    parser.add_argument("--hosts-apart", action="store_true", help="a host name for each worker")
    asked = parser.parse_args()
    if asked.what != "up" and not (asked.folder / "stack.json").exists():
        print(f"nothing was started in {asked.folder}", file=sys.stderr)
        return 2
    stack = Stack(asked.folder, pool=asked.pool, clips_url=asked.clips, apart=asked.hosts_apart)
    if asked.what == "down":
        stack.down()
        return 0
    try:
        if asked.what == "up":
            stack.up(asked.workers)
    except (Missing, RuntimeError) as error:
        print(
            f"{error}\nto end what was started: python -m deployments.stack down --folder {asked.folder}",
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
