"""Checks of the languages of a film and of what its subtitles ask for."""

from __future__ import annotations

from collections.abc import Iterator

from storyreel.specs.language.tongues import unknown_language
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.problems.problem import Problem
from storyreel.specs.storyboard import Storyboard


def language_problems(storyboard: Storyboard) -> Iterator[Problem]:
    """A language that is named twice, or one of the subtitles that the film does not have."""
    languages, subtitles = storyboard.languages, storyboard.subtitles
    for number, language in enumerate(languages):
        if language in languages[:number]:
            yield Problem(storyboard.where("languages", number), f"`{language}` is named twice", "once is enough")
        elif instead := unknown_language(language):
            yield Problem(storyboard.where("languages", number), f"there is no language `{language}`", instead)
    if subtitles is None:
        return
    if subtitles.language and subtitles.language not in languages:
        known = f"the film has {listed(languages, 'and')}" if languages else "write them as `languages: [en, fr]`"
        message = f"`{subtitles.language}` is not among the film's `languages`"
        yield Problem(
            storyboard.where("subtitles", "language"), message, suggestion(subtitles.language, languages, known)
        )
    for key in ("style", "language"):
        if getattr(subtitles, key) and not subtitles.burn_in:
            message = f"`{key}` is that of subtitles in the picture, and none are"
            yield Problem(storyboard.where("subtitles", key), message, "add `burn_in: true`, or remove it")
