"""On Prefect's pages, which show Markdown, foreign text is only text."""

from __future__ import annotations

import logging
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from storyreel.flows.deployment.registration import FilmDeployment
from storyreel.flows.markdown import code, escape, link_address
from storyreel.flows.monitoring.logs import make_logs_legible
from storyreel.flows.names import film_tag, run_name
from storyreel.specs.foreign_text import printable

SIGNS = "* _ ` [ ] ( ) < > # ~ | \\ & ! - + = 1. 2) a b : / http://x.example &lt; <b> ``` \x1b \u202e"
WORDS = st.sampled_from(SIGNS.split(" "))
FOREIGN = st.lists(WORDS | st.just(" ") | st.just("\n"), max_size=12).map("".join)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def rendered(markdown: str) -> str:
    """The visible text of a paragraph; anything but text in it fails."""
    (opening, content, closing) = MARKDOWN.parse(markdown)
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    assert {child.type for child in content.children or ()} <= {"text", "text_special"}
    return "".join(child.content for child in content.children or ())


@given(FOREIGN.filter(str.strip))
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    assert rendered(escape(text)) == " ".join(printable(text).split())


@given(FOREIGN.filter(str.strip))
def test_code_is_shown_as_it_is(text: str) -> None:
    (_, content, _) = MARKDOWN.parse(f"in {code(text)}.")
    before, shown, after = content.children or ()
    assert (before.content, shown.type, after.content) == ("in ", "code_inline", ".")
    assert shown.content == " ".join(printable(text).split())


@given(FOREIGN)
def test_an_address_does_not_end_its_link(text: str) -> None:
    (_, content, _) = MARKDOWN.parse(f"[x]({link_address('https://a.example/' + text)})")
    assert [child.type for child in content.children or ()] == ["link_open", "text", "link_close"]


@pytest.mark.parametrize("title", ["Act [/one] of", "**Bold** `x`", "# One", "<img src=x>", "a\u202eb"])
def test_a_title_is_no_markup_in_the_description_of_a_deployment(title: str) -> None:
    film = FilmDeployment(
        title=title,
        name="x",
        version="0" * 64,
        storyboard=f"/films/`{title}`.yaml",
        is_packed=False,
        out=f"/out/{title}",
    )
    (_, first, _, _, second, _) = MARKDOWN.parse(film.description)
    (bold,) = [n for n, child in enumerate(first.children or ()) if child.type == "strong_open"]
    until = next(n for n, child in enumerate(first.children or ()) if child.type == "strong_close")
    assert "".join(child.content for child in (first.children or ())[bold:until]) == printable(title)
    kinds = {child.type for child in (*(first.children or ()), *(second.children or ()))}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close", "code_inline"}


def test_a_runs_name_and_tags_can_be_read() -> None:
    assert run_name("a\u202eb", datetime(2026, 11, 29)).startswith(r"a\u202eb ")
    assert film_tag("a\u202eb") == r"film:a\u202eb"


@pytest.mark.filterwarnings("ignore:Logger 'prefect.flow_runs' attempted to send logs")
def test_the_log_of_a_run_holds_no_secret_and_no_command(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("APIYI_API_KEY", "sk-0123456789")
    make_logs_legible()
    make_logs_legible()
    logger = logging.getLogger("prefect.flow_runs")
    logger.addHandler(caplog.handler)
    try:
        logger.warning("%s: %s", "1A", "the key sk-0123456789 \x1b[31m is \ud83d bad")
        try:
            raise ValueError("at postgresql://me:hunter2@db/films with sk-0123456789")
        except ValueError:
            logger.exception("it failed")
    finally:
        logger.removeHandler(caplog.handler)
    assert r"the key … \x1b[31m is \ud83d bad" in caplog.text
    assert "ValueError: at postgresql://…@db/films with …" in caplog.text
    assert "sk-0123456789" not in caplog.text and "hunter2" not in caplog.text
