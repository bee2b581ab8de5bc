"""An S3 on this machine, on a real socket, and what a client needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import s3fs
from moto.server import ThreadedMotoServer

USER = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@contextmanager
def serving() -> Iterator[str]:
    """A server with the bucket `films` in it; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    s3fs.S3FileSystem(key=USER, secret=SECRET, endpoint_url=address, skip_instance_cache=True).mkdir("films")
    try:
        yield address
    finally:
        server.stop()


def environment(address: str) -> dict[str, str]:
    """Address and credentials as AWS's own tools take them, and none that may lie on this machine."""
    return {
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": address,
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
