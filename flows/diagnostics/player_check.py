"""Checks the public player: whether it answers by its address, and whether the links that are made here are its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus

import httpx

from storyreel.flows.diagnostics.check import Check
from storyreel.flows.player.links import HEALTH, secret_of, sign
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.home import Home
from storyreel.tasks.settings import PLAYER_SECRET, PLAYER_URL, Settings
from storyreel.tasks.storage.bucket import without_password

_SECONDS = 5
_SAYS_WHOSE = re.compile(r'\{"player": ?"([\w-]+)"\}')


def check_player(environment: Mapping[str, str], *, offline: bool) -> Iterator[Check]:
    """One check if a public player is named; none otherwise, as links then lead to the player of this machine."""
    if not (url := Settings.read(environment).player_url.rstrip("/")):
        return
    address = without_password(url)
    if offline:
        yield Check("player", "ok", f"films and takes are played at {address}")
        return
    try:
        answer = httpx.get(url + HEALTH, timeout=_SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = shown(str(error) or type(error).__name__)
        yield Check(
            "player", "note", f"{address} cannot be reached: {why}", "run there: storyreel player --host 0.0.0.0"
        )
        return
    if answer.status_code == HTTPStatus.MISDIRECTED_REQUEST:
        what = f"the player at {address} does not know that address"
        yield Check("player", "note", what, f"set {PLAYER_URL} where it runs too")
    elif not (found := _SAYS_WHOSE.fullmatch(answer.text[:1000])):
        yield Check("player", "note", f"{address} is no player", f"correct {PLAYER_URL}")
    elif found[1] != _own_id(environment):
        what = f"the player at {address} signs with another secret, so that no link made here works"
        yield Check("player", "note", what, f"set {PLAYER_SECRET} to the same here and there")
    else:
        yield Check("player", "ok", f"films and takes are played at {address}, by links that are made here")


def _own_id(environment: Mapping[str, str]) -> str:
    """The answer by which a player with the secret of this home is known; empty if the home cannot keep a secret."""
    try:
        return sign(secret_of(Home.of(environment), environment), HEALTH)
    except OSError:
        return ""
