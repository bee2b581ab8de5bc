"""Prefect's pages in a real browser: a server that stays, headless Chromium, and what must be seen.

Others' pages are looked at with the same two fixtures: `pages` is a server with its pages, `browser` a Chromium window.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from storyreel.flows.player.links import PlayerRecord
from storyreel.flows.servers.local import free_port, pages_url, recorded_server
from storyreel.tasks.home import Home
from tests.flows import warm
from tests.needs import give_up
from tests.prefect_server import move_in

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PICTURES = Path(__file__).parents[1] / "deployments" / "pictures"
"""The screenshots that the documentation shows; `--renew-pictures` takes them anew."""

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # The graph of a run is drawn by WebGL, and there is no graphics card here.
    "--enable-unsafe-swiftshader", "--use-angle=swiftshader",
)  # fmt: skip
_FEW_FRAMES = """\
window.requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), 200)
window.cancelAnimationFrame = clearTimeout
"""
"""Five pictures a second of what moves, not sixty: without a graphics card each of a graph takes the processor long."""
_LARGEST = 200_000
"""Bytes of a picture in the documentation."""
_PATIENCE = 60_000
"""Milliseconds that a page may take to show something."""


class Server:
    """A Prefect server with its pages, as `storyreel ui` starts it, and what commands are told to use it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.page = folder, pages_url(port := free_port())
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "TERM": "dumb",
            "STORYREEL_HOME": str(folder / "storyreel"),
            "PREFECT_HOME": str(folder / "prefect"),
        }
        move_in(folder / "prefect")
        # Other tests have players of their own, which may be at the default port.
        PlayerRecord(port=free_port()).write(Home.of(self.environment))
        self.command("ui", "--no-open", "--port", str(port))

    def command(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `storyreel`; it must end well."""
        done = warm.command(*arguments, folder=self.folder, environment={**self.environment, **more})
        assert done.returncode == 0, done.stderr
        return done

    def stop(self) -> None:
        """Stop it, however it is."""
        if (server := recorded_server(self.environment)) and server.process.is_alive():
            self.command("ui", "--stop")


_DRAWN_WITHIN = 10.0
"""Seconds in which a page must be drawn: a video shows its frame some time after it has found it."""


class Browser:
    """A window, and what is to be seen in it."""

    def __init__(self, page: Page, renews: bool) -> None:
        self.page, self._renews = page, renews

    def open(self, address: str, *texts: str) -> Page:
        """Open a page and wait until it shows these texts."""
        self.page.goto(address)
        for text in texts:
            self.shows(text)
        return self.page

    def shows(self, text: str) -> None:
        """Wait until a text is to be seen."""
        self.page.get_by_text(text).locator("visible=true").first.wait_for(timeout=_PATIENCE)

    def shows_picture(self, called: str) -> None:
        """Wait until a picture of this name is there, and has been decoded."""
        picture = self.page.get_by_alt_text(called, exact=True).first
        picture.scroll_into_view_if_needed(timeout=_PATIENCE)
        self.page.wait_for_function(
            "picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle(), timeout=_PATIENCE
        )

    def follow(self, link: str) -> Page:
        """The page that the first link of this text opens beside the one that is open."""
        with self.page.context.expect_page(timeout=_PATIENCE) as opened:
            self.page.get_by_role("link", name=link, exact=True).first.click(timeout=_PATIENCE)
        return opened.value

    def plays(self, page: Page) -> Locator:
        """Wait until the video of a page goes on by itself."""
        video = page.locator("video")
        video.wait_for(timeout=_PATIENCE)
        page.wait_for_function("video => video.currentTime > 0", arg=video.element_handle(), timeout=_PATIENCE)
        return video

    def screenshot(self, colours: int = 50, *, of: Page | None = None, keep: str = "") -> Image.Image:
        """The page as it is seen now, or once something is drawn: it has many colours. `keep` is its name in the
        documentation."""
        page, end = of or self.page, time.monotonic() + _DRAWN_WITHIN
        while True:
            taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            if len(taken.getcolors(1 << 24) or ()) >= colours or time.monotonic() > end:
                break
            page.wait_for_timeout(200)
        assert len(taken.getcolors(1 << 24) or ()) >= colours, f"{page.url} is empty"
        if keep and self._renews:
            _keep(taken, PICTURES / f"{keep}.png")
        return taken


@contextmanager
def serving_pages(folder: Path) -> Iterator[Server]:
    """A server of the tests' own, with its pages."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def browsing(profile: Path, *, renews: bool = False) -> Iterator[Browser]:
    """Chromium, with nothing in it of the user's. Skips where there is none; fails with TESTS_NEED_CHROMIUM set."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        give_up("CHROMIUM", "chromium")
    with sync_playwright() as playwright:
        window = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=_FLAGS, viewport={"width": 1280, "height": 800}
        )
        window.add_init_script(_FEW_FRAMES)
        try:
            yield Browser(window.pages[0], renews)
        finally:
            window.close()


def _keep(taken: Image.Image, into: Path) -> None:
    """Write a picture, with as few colours as keep it small enough."""
    into.parent.mkdir(exist_ok=True)
    for colours in (256, 128, 64):
        taken.quantize(colours, dither=Image.Dither.NONE).save(into, optimize=True)
        if into.stat().st_size < _LARGEST:
            return
    raise AssertionError(f"{into} is too large for the documentation")
