"""Names in a storyboard from elsewhere: none leads out of its folder, whatever program reads the name."""

from __future__ import annotations

import posixpath
from pathlib import PureWindowsPath
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storyreel.specs.sources import leads_away
from storyreel.specs.storyboard import is_remote

PARTS = ["..", ".", "%2e", "%2E%2e", "%252e", "%25252e%2e", "/", "//", "%2f", "%5c", "\\", "::", "%3A:", "a", "b.png",
         " ", "~", "C:", "file:", "http:", "\t", "%00", "@h", "?", "#", ";", "é", "．．", ".elsewhere"]  # fmt: skip


def readings(source: str) -> list[str]:
    """The source as it is written, and decoded as often as it can be; with backslashes as slashes too."""
    found = [source]
    while unquote(found[-1]) != found[-1]:
        found.append(unquote(found[-1]))
    return [*found, *(each.replace("\\", "/") for each in found)]


@given(source=st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join))
@example("%2e%2e/x")
@example("a/%252e%252e/%252e%252e/x")
@example("x::http://h/y")
@example("..?")
@example("a/..#/../x")
@example("..;/x")
def test_what_is_taken_to_be_beside_a_storyboard_is_beside_it_in_every_reading(source: str) -> None:
    if leads_away(source) or is_remote(source):
        return
    for reading in readings(source):
        assert posixpath.normpath(f"/films/here/{reading}").startswith("/films/here"), reading
        assert ".." not in PureWindowsPath(reading).parts and not PureWindowsPath(reading).anchor
        assert "::" not in reading
    url = httpx.URL(f"http://films.example/here/{source}")
    assert url.host == "films.example" and url.path.startswith("/here")
    joined = urlsplit(urljoin("http://films.example/here/", f"./{source}"))
    assert joined.netloc == "films.example" and joined.path.startswith("/here/")


@pytest.mark.parametrize(
    "source",
    ["mira.png", "./mira.png", "boards/1A.png", "a b/é.png", "100%.png", "50%25.png", "a%20b.png", "..a/b..c.png", ".x",
     "a...png", "~x.png", "x@2.png", "版/一.png", "a?b=1&c=%41"],
)  # fmt: skip
def test_ordinary_names_are_beside_it(source: str) -> None:
    assert not leads_away(source)
