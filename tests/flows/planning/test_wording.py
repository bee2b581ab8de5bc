"""What was bought in the words, or with the voices, of a version before is not bought again."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan
from storyreel.tasks.ledger.ledger import State
from storyreel.tasks.media.text.typefaces import FONTS
from storyreel.tasks.request.edition import editions
from tests.flows.planning.histories import history_of, history_with, plan_of, rows_of

FILM = """\
storyboard: 1
title: Two Rooms
cast:
  ana: {name: Ana, description: "baker, white apron"}
locations:
  shop: {description: small shop}
defaults: {provider: apiyi, duration: 4s}
shots:
  - {shot: 1A, action: Ana enters., cast: [ana], location: shop, takes: 2}
  - {shot: 1B, action: She sits., cast: [ana], continues: 1A}
  - {shot: 1C, action: Rain.}
"""


def plan_of_before(folder: Path) -> Plan:
    """The film's plan as the version before would make it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storyreel.tasks.request.prompt.with_article", str)
        return plan_of(folder, FILM)


def prompts(plan: Plan) -> dict[str, str]:
    return {take.shot: take.request.prompt for take in plan.takes}


def test_a_new_film_gets_the_articles(tmp_path: Path) -> None:
    found = prompts(plan_of(tmp_path, FILM))
    assert found["1A"].startswith("Ana is a baker, white apron. ") and " In a small shop. " in found["1A"]
    assert prompts(plan_of_before(tmp_path))["1A"].startswith("Ana is baker, white apron. ")


def test_takes_that_were_bought_in_the_words_before_are_not_bought_again(tmp_path: Path) -> None:
    before = plan_of_before(tmp_path)
    bought = history_with(before, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    now = plan_of(tmp_path, FILM, bought)
    assert [take.key for take in now.takes] == [take.key for take in before.takes]
    assert not now.bought
    one_more = plan_of(tmp_path, FILM.replace("takes: 2", "takes: 3, circled: 2"), bought)
    assert [(take.shot, take.take) for take in one_more.bought] == [("1A", 3)]


@pytest.mark.parametrize("state", [State.INTENDED, State.SUBMITTED, State.UNKNOWN])
def test_takes_that_are_under_way_in_the_words_before_are_continued(tmp_path: Path, state: State) -> None:
    before = plan_of_before(tmp_path)
    now = plan_of(tmp_path, FILM, history_with(before, ("1A", state)))
    assert {take.key for take in now.takes if take.shot == "1A"} == {
        take.key for take in before.takes if take.shot == "1A"
    }
    assert {take.state for take in now.takes if take.shot == "1A"} <= {"resuming", "unknown"}


def test_what_is_bought_anyway_gets_the_articles(tmp_path: Path) -> None:
    """A shot that was changed, what continues it, and a shot that failed."""
    before = plan_of_before(tmp_path)
    bought = history_with(before, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    changed = plan_of(tmp_path, FILM.replace("Ana enters.", "Ana leaves."), bought)
    assert {take.shot for take in changed.bought} == {"1A", "1B"}
    assert all(prompts(changed)[shot].startswith("Ana is a baker") for shot in ("1A", "1B"))
    failed = plan_of(tmp_path, FILM, history_with(before, ("1A", State.FAILED)))
    assert prompts(failed)["1A"].startswith("Ana is a baker")


def test_what_continues_a_take_of_another_service_is_not_bought_again(tmp_path: Path) -> None:
    """The first service refused 1A, and the second one made it; 1B, which continues it, was bought as well."""
    film = FILM.replace("location: shop, takes: 2", "providers: [dashscope, apiyi]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storyreel.tasks.request.prompt.with_article", str)
        before = plan_of(tmp_path, film)
    (first,) = [take for take in before.takes if take.shot == "1A"]
    by_second = first.model_copy(update={"chosen": first.fallbacks[0], "fallbacks": (first.chosen,)})
    made = before.model_copy(update={"takes": (by_second, *(take for take in before.takes if take is not first))})
    for refused in ({}, rows_of(before, ("1A", State.FAILED))):
        rows = {**refused, **rows_of(made, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))}
        now = plan_of(tmp_path, film, history_of(rows))
        assert not now.bought, [(take.shot, take.reason) for take in now.bought]
        assert [take.identity for take in now.takes] == [take.identity for take in before.takes]


# Voices


VOICES = """\
storyboard: 1
title: Two Voices
cast:
  ana: {name: Ana, references: [https://x.example/ana.png], voice: https://x.example/ana.wav}
  ben: {name: Ben, description: baker, references: [https://x.example/ben.png], voice: https://x.example/ben.wav}
defaults: {provider: apiyi, duration: 4s}
shots:
  - {shot: 1A, action: They dance., cast: [ana, ben]}
  - {shot: 1B, action: They talk., cast: [ana, ben], dialogue: [{ana: So?}], takes: 2}
  - {shot: 1C, action: She sits., cast: [ana], continues: 1B}
"""


def voices(plan: Plan, shot: str) -> list[bool]:
    (take, *_) = [take for take in plan.takes if take.shot == shot]
    return [reference.voice is not None for reference in take.request.references]


def voices_before(folder: Path, film: str) -> Plan:
    """The film's plan as the version before would make it: with the voices of those who speak a line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storyreel.flows.planning.takes.builder.editions", lambda film, shot: editions(film, shot)[2:3])
        return plan_of(folder, film)


def test_takes_that_were_bought_with_the_voices_of_speakers_alone_are_not_bought_again(tmp_path: Path) -> None:
    before = voices_before(tmp_path, VOICES)
    assert voices(before, "1A") == [False, False] and voices(before, "1B") == [True, False]
    now = plan_of(tmp_path, VOICES)
    assert voices(now, "1A") == voices(now, "1B") == [True, True]
    assert {take.key for take in now.takes}.isdisjoint(take.key for take in before.takes)
    bought = history_with(before, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    again = plan_of(tmp_path, VOICES, bought)
    assert [take.key for take in again.takes] == [take.key for take in before.takes] and not again.bought
    # What is bought anyway has the voices, and leaves what continues another shot as it is.
    changed = plan_of(tmp_path, VOICES.replace("They dance.", "They sing."), bought)
    assert [take.shot for take in changed.bought] == ["1A"] and voices(changed, "1A") == [True, True]


def test_sound_that_is_dropped_after_it_was_bought_is_not_bought_again_without(tmp_path: Path) -> None:
    kept = plan_of(tmp_path, VOICES)
    bought = history_with(kept, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    dropped = VOICES.replace("duration: 4s", "duration: 4s, native_audio: drop")
    assert voices(plan_of(tmp_path, dropped), "1B") == [False, False]
    again = plan_of(tmp_path, dropped, bought)
    assert [take.key for take in again.takes] == [take.key for take in kept.takes] and not again.bought


def test_a_voice_that_came_after_a_silent_take_is_a_reason_to_make_it_again(tmp_path: Path) -> None:
    dropped = plan_of(tmp_path, VOICES.replace("duration: 4s", "duration: 4s, native_audio: drop"))
    bought = history_with(dropped, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    again = plan_of(tmp_path, VOICES, bought)
    (talk, _) = [take for take in again.takes if take.shot == "1B"]
    assert talk.state == "new" and talk.reason.startswith("changed: voice of ana")


# Drawings


DRAWN = """\
storyboard: 1
title: Two Rooms
cast:
  ana: {name: Ana, description: a girl}
  ben: {name: Ben, description: a man}
defaults: {provider: animatic, duration: 4s}
shots:
  - {shot: 1A, action: They talk., cast: [ana, ben], dialogue: [{ana: So?}]}
"""


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("title: Two Rooms", "title: Two Rooms\nsubtitles: burn_in", "subtitles"),
        ("shots:", "titles: [{caption: Night, from: 0s, to: 1s}]\nshots:", "titles"),
        ("shots:", "titles: [{title: Night, place: top, from: 0s, to: 1s}]\nshots:", "titles"),
        ("duration: 4s", "duration: 4s, camera: {angle: low}", "angle"),
        ("duration: 4s", "duration: 4s, camera: {lens: 85mm}", "lens"),
        ("a girl", "a girl with short hair", "people who are drawn"),
        ("{ana: So?}", "{ana: 'So? \u2603\u4f60'}", "dialogue"),
        ("title: Two Rooms", "title: Two Rooms\nformat: {font: own.ttf}", "font"),
    ],
)
def test_what_a_drawing_is_made_again_for_is_named(tmp_path: Path, before: str, after: str, told: str) -> None:
    (tmp_path / "own.ttf").write_bytes((FONTS / "DejaVuSans-Bold.ttf").read_bytes())
    drawn = history_with(plan_of(tmp_path, DRAWN), ("1A", State.FINISHED))
    assert before in DRAWN
    (take,) = plan_of(tmp_path, DRAWN.replace(before, after), drawn).takes
    assert take.state == "new" and take.reason.startswith(f"changed: {told}"), take.reason


def test_a_drawing_that_only_this_version_draws_otherwise_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = DRAWN.replace("title: Two Rooms", "title: Two Rooms\nformat: {font: own.ttf}")
    (tmp_path / "own.ttf").write_bytes((FONTS / "DejaVuSans-Bold.ttf").read_bytes())
    drawn = history_with(plan_of(tmp_path, film), ("1A", State.FINISHED))
    monkeypatch.setattr("storyreel.tasks.request.board._DRAWING", "3")
    (take,) = plan_of(tmp_path, film, drawn).takes
    assert take.reason == "this version of storyreel draws it differently"


@pytest.mark.parametrize(
    ("words", "headed", "crossed", "titled"),
    [
        ("caption: Night", "", "", True),
        ("caption: Night, style: documentary", "small", "", False),
        ("caption: Night, style: documentary, place: bottom", "", "", True),
        ("lower_third: Ana, style: documentary", "", "", True),
        ("title: Night", "", "large", False),
        ("title: Night, style: documentary", "", "large", False),
        ("caption: Night, place: right", "", "small", False),
        ("caption: Night, style: vertical, place: top", "large", "", False),
        ("title: Night, style: vertical", "large", "", False),
        ("title: Night, place: top left", "large", "", False),
    ],
)
def test_a_drawing_leaves_free_where_words_stand(
    tmp_path: Path, words: str, headed: str, crossed: str, titled: bool
) -> None:
    (take,) = plan_of(tmp_path, DRAWN + f"titles: [{{{words}, from: 0s, to: 1s}}]\n").takes
    board = take.request.board
    assert board and (board.headed, board.crossed, board.titled) == (headed, crossed, titled)
    form = take.request.canonical()
    kept = "what was drawn without them keeps its key"
    assert ('"headed"' in form, '"crossed"' in form) == (bool(headed), bool(crossed)), kept


def test_room_is_left_only_while_the_words_of_the_film_are_seen(tmp_path: Path) -> None:
    shots = "".join(f"  - {{shot: {n}, action: Rain., duration: 2s{more}}}\n" for n, more in SHOTS_UNDER_WORDS)
    words = "titles: [{title: Night, to: 3s}, {lower_third: Ana, from: 00:00:05:12, to: 6s}]\n"
    takes = plan_of(tmp_path, f"storyboard: 1\ntitle: Night\nformat: {{fps: 24}}\n{words}shots:\n{shots}").takes
    assert [(take.request.board.crossed, take.request.board.titled) for take in takes if take.request.board] == [
        ("large", False), ("large", False), ("", True), ("", True),
    ]  # fmt: skip


SHOTS_UNDER_WORDS = ((1, ""), (2, ""), (3, ""), (4, ", transition: dissolve"))
"""Into the handles of the last one, which its dissolve needs, the words of the third reach."""
