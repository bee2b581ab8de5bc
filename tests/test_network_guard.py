"""The suite cannot reach the network, so it cannot spend money."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import httpx
import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("198.51.100.7", 443)])
def test_no_test_reaches_another_machine(address: tuple[str, int]) -> None:
    with socket.socket() as client, pytest.raises(OSError, match="this machine alone"):
        client.connect(address)


def test_no_name_of_another_machine_is_looked_up() -> None:
    with pytest.raises((OSError, httpx.HTTPError), match="this machine alone"):
        httpx.get("https://api.example.com/v1")


def test_children_of_a_test_are_held_as_well() -> None:
    reach = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"
    child = subprocess.run([sys.executable, "-c", reach], capture_output=True, text=True, check=False)
    assert "this machine alone" in child.stderr


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=lambda: server.accept()[0].close(), daemon=True)
        answering.start()
        socket.create_connection(server.getsockname(), 2).close()
        answering.join(10)
