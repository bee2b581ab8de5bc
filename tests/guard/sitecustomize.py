"""Loaded by every Python that the tests start: no process may speak to anything but this machine.

Without it the suite would be one mistake away from spending money.
"""

from __future__ import annotations

import gc
import ipaddress
import os
import sys
from typing import Any

_LOCAL_NAMES = {"localhost", "ip6-localhost", "testserver", "", None}


class NetworkIsBlocked(OSError):
    """A test tried to reach another machine."""


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise NetworkIsBlocked(f"tests speak to this machine alone, not to {address[0]}")
    elif event == "socket.getaddrinfo" and not (_is_local(arguments[0]) or _is_any(arguments[0])):
        raise NetworkIsBlocked(f"tests speak to this machine alone, not to {arguments[0]}")


def _is_any(host: object) -> bool:
    """An address that a server listens on, not one that anybody speaks to."""
    return host in ("0.0.0.0", "::", b"0.0.0.0", b"::")


sys.addaudithook(_watch)
# Most processes here import Prefect and end soon: a sixth of the imports was spent on garbage that is none.
gc.set_threshold(50_000)
# One certificate authority, which signed nothing, instead of 140: every HTTP client reads them all, and a run makes a
# dozen clients.
os.environ["SSL_CERT_FILE"] = f"{__file__.removesuffix('sitecustomize.py')}nobody.pem"
