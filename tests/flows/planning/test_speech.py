"""Speech in a plan: takes of lines before the clips that hang on them, priced, counted to their shots, waited for."""

from __future__ import annotations

import wave
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from storyreel.flows.planning.checks.budget import check_budget, fitting_shots, limits_of
from storyreel.flows.planning.history import History, with_verdicts
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.saved import SavedPlan, differences, load_plan, save_plan
from storyreel.flows.planning.summary import reason_of, summarize
from storyreel.flows.production.agreement import agreed_keys, held_to
from storyreel.flows.review.model import shots_to_approve
from storyreel.specs.language.models import Budget
from storyreel.specs.money import Money
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.ledger.ledger import NewVerdict, State, Word
from tests.flows.planning.histories import NOTHING, PRICES, history_of, plan_of, rows_of

FILM = """\
storyboard: 1
title: The Keeper
format: {fps: 25}
speech: {provider: dashscope, voice: Ethan, dialogue: true}
cast: {mira: {speech: Cherry}}
defaults: {provider: dashscope}
shots:
  - {shot: 1A, action: A, duration: speech, pad: 0.2s, narration: The light has not gone out.}
  - {shot: 1B, action: B, duration: 4s, dialogue: [{mira: Who is there?}], narration: Nobody.}
  - {shot: 1C, action: C, duration: 4s, dialogue: [{mira: Who is there?}, {mira: Hello}]}
  - {shot: 1D, action: D, duration: 4s, provider: animatic, narration: {line: Nobody., speaker: mira}}
"""
SPEECH = ["1A@narration-1", "1B@line-1", "1B@narration-1", "1C@line-1", "1C@line-2", "1D@narration-1"]


def take_of(plan: Plan, slate: str) -> PlannedTake:
    return next(take for take in plan.takes if take.shot == slate)


def spoken_for(folder: Path, plan: Plan, seconds: Mapping[str, Fraction]) -> History:
    """A history in which the lines of a plan are spoken, each so long."""
    files = {}
    rows = rows_of(plan, *((slate, State.FINISHED) for slate in seconds))
    for take in plan.speech:
        if take.shot in seconds:
            file = folder / f"{take.key}.wav"
            with wave.open(str(file), "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(24_000)
                sound.writeframes(bytes(2 * round(seconds[take.shot] * 24_000)))
            rows[take.key] = rows[take.key].model_copy(update={"clip": take.key})
            files[take.key] = file
    history = history_of(rows)
    return history.model_copy(update={"holds": files.__contains__, "file_of": files.get})


def test_each_line_is_a_take_before_its_shot_in_the_voice_of_who_speaks(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    assert [take.shot for take in plan.speech] == SPEECH
    order = [take.shot for take in plan.takes]
    assert order.index("1B@narration-1") < order.index("1B") < order.index("1C@line-1")
    said = {take.shot: (take.request.prompt, take.request.voice) for take in plan.speech}
    assert said["1A@narration-1"] == ("The light has not gone out.", "Ethan")
    assert said["1B@line-1"] == said["1C@line-1"] == ("Who is there?", "Cherry")
    assert said["1D@narration-1"] == ("Nobody.", "Cherry") != said["1B@narration-1"]
    assert take_of(plan, "1B@line-1").key == take_of(plan, "1C@line-1").key
    bought = [take.shot for take in plan.bought]
    assert bought == ["1A@narration-1", "1B@line-1", "1B@narration-1", "1C@line-2", "1C", "1D@narration-1"], (
        "what is said twice is bought once"
    )


def test_a_clip_that_costs_money_waits_for_the_speech_that_it_hangs_on_and_for_no_other(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    waits = {take.shot: take.waits_for for take in plan.clips}
    # 1B may be made to its line, and 1C lays its two lines under it.
    assert waits == {"1A": ("1A@narration-1",), "1B": ("1B@line-1",), "1C": (), "1D": ()}
    assert [take.shot for take in plan.waiting] == ["1A", "1B"]
    assert take_of(plan, "1A").is_estimate and not take_of(plan, "1B").is_estimate
    assert "≈" in summarize(plan) and "waits for the speech of `1A@narration-1`" in reason_of(take_of(plan, "1A"))
    sums = plan.as_json()
    assert Decimal(sums["waiting"]["total"]["amount"]) > Decimal(sums["speech"]["total"]["amount"]) > 0
    assert not any(key in agreed_keys(plan) for key in (take_of(plan, "1A").key[:12], take_of(plan, "1B").key[:12]))


def test_a_shot_is_as_long_as_the_speech_that_is_made_and_a_clip_is_made_to_it(tmp_path: Path) -> None:
    before = plan_of(tmp_path, FILM)
    seconds = {slate: Fraction(n, 7) for n, slate in enumerate(SPEECH, 16)}
    plan = plan_of(tmp_path, FILM, spoken_for(tmp_path, before, seconds))
    assert not plan.waiting and {take.state for take in plan.speech} == {"cached"}
    event = plan.cut.events[0]
    assert event.frames == 5 + -(-16 * 25 // 7) + 5, "as many frames as it is heard in, and the pad"
    assert not take_of(plan, "1A").is_estimate and "≈" not in summarize(plan)
    clip = take_of(plan, "1B")
    sound = clip.request.sound
    assert sound and sound.digest == f"speech:{take_of(plan, '1B@line-1').identity}" and not clip.laid_with(clip.chosen)
    assert Path(sound.source).suffix == ".wav" and sound.content_digest == take_of(plan, "1B@line-1").key
    laid = take_of(plan, "1C")
    assert laid.request.sound is None and len(laid.laid_with(laid.chosen)) == 2
    assert "one line" in laid.chosen.why_laid
    assert plan.lengths["1D@narration-1"] == Fraction(21 * 24_000 // 7, 24_000)

    held = held_to(plan, agreed_keys(before))
    assert [take.shot for take in held.waiting] == ["1A", "1B"], "they were not agreed to at this length"
    assert held_to(plan, agreed_keys(plan)) == plan


def test_speech_shorter_than_a_service_takes_is_laid_under(tmp_path: Path) -> None:
    before = plan_of(tmp_path, FILM)
    plan = plan_of(tmp_path, FILM, spoken_for(tmp_path, before, dict.fromkeys(SPEECH, Fraction(1))))
    clip = take_of(plan, "1B")
    assert clip.request.sound is None and "it must be 2 to 30 s" in clip.chosen.why_laid
    assert [one.seconds for one in clip.laid_with(clip.chosen)] == [1]


def test_the_lines_of_a_shot_count_in_its_budget(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM.replace("narration: Nobody.", "narration: Nobody was there.", 1))
    cost = {take.shot: take.price.amount for take in plan.bought if take.price}
    most = Money(amount=cost["1A@narration-1"], currency="CNY")
    assert cost["1B@line-1"] < most.amount and cost["1B@narration-1"] < most.amount
    with pytest.raises(BudgetExceeded, match=r"for a shot \(1B\), and with 1B@narration-1"):
        check_budget(plan, limits_of(Budget(per_shot=most)), lambda *_, **__: ())
    assert "1B@line-1" in fitting_shots(plan, limits_of(Budget(per_shot=most)), lambda *_, **__: ())


def test_an_animatic_has_what_was_bought_and_orders_nothing(tmp_path: Path) -> None:
    before = plan_of(tmp_path, FILM)
    history = spoken_for(tmp_path, before, {"1A@narration-1": Fraction(2)})
    plan = plan_of(tmp_path, FILM, history, provider="animatic")
    assert not plan.bought
    paid = [take.shot for take in plan.speech if not take.chosen.is_free]
    assert paid == ["1A@narration-1"] and plan.cut.events[0].frames == 60


def test_of_a_selection_the_lines_of_its_shots_are_made(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM, selection=["1B"])
    assert [take.shot for take in plan.bought] == ["1B@line-1", "1B@narration-1"]
    assert [take.shot for take in plan_of(tmp_path, FILM, selection=["speech"]).bought] == [
        "1A@narration-1", "1B@line-1", "1B@narration-1", "1C@line-2", "1D@narration-1",
    ]  # fmt: skip


def test_a_voice_or_service_that_cannot_speak_is_refused_where_it_is_written(tmp_path: Path) -> None:
    for words, line, message in (
        ("speech: Cherry", 5, "has no voice `Chery`"), ("voice: Ethan", 4, "has no voice `Ethen`"),
    ):  # fmt: skip
        wrong = {"speech: Cherry": "speech: Chery", "voice: Ethan": "voice: Ethen"}[words]
        with pytest.raises(StoryboardError) as refused:
            plan_of(tmp_path, FILM.replace(words, wrong))
        assert all(problem.position.line == line for problem in refused.value.problems)
        assert message in str(refused.value)
    with pytest.raises(StoryboardError, match="freepik speaks no lines"):
        plan_of(tmp_path, FILM.replace("speech: {provider: dashscope", "speech: {provider: freepik"))


def test_a_line_with_a_recording_is_never_bought(tmp_path: Path) -> None:
    recorded = FILM.replace("{mira: Who is there?}", "{mira: Who is there?, sound: line.wav}")
    recorded = recorded.replace("narration: Nobody.", "narration: {line: Nobody., sound: line.wav}")
    before = plan_of(tmp_path, FILM)
    spoken_for(tmp_path, before, {"1A@narration-1": Fraction(5, 2)})
    next(tmp_path.glob("*.wav")).rename(tmp_path / "line.wav")
    plan = plan_of(tmp_path, recorded)
    assert [take.shot for take in plan.speech] == ["1A@narration-1", "1C@line-2", "1D@narration-1"]
    assert plan.lengths == {"1B@line-1": Fraction(5, 2), "1B@narration-1": Fraction(5, 2), "1C@line-1": Fraction(5, 2)}
    # One line of 1C is spoken, the other recorded.
    digests = [one.digest.partition(":")[0] for one in take_of(plan, "1C").recordings]
    assert digests == ["sha256", "speech"]


def test_a_saved_plan_is_carried_out_only_while_the_speech_is_as_long(tmp_path: Path) -> None:
    before = plan_of(tmp_path, FILM)
    plan = plan_of(tmp_path, FILM, spoken_for(tmp_path, before, {"1A@narration-1": Fraction(2)}))
    save_plan(plan, tmp_path / "plan.json", RunRequest(storyboard=tmp_path / "film.yaml"))
    saved = load_plan(tmp_path / "plan.json")
    assert isinstance(saved, SavedPlan) and differences(saved, plan) == []
    save_plan(before, tmp_path / "early.json", RunRequest(storyboard=tmp_path / "film.yaml"))
    early = load_plan(tmp_path / "early.json")
    assert isinstance(early, SavedPlan)
    assert "1A take 1 waited for `1A@narration-1` and waits for none now" in differences(early, plan)
    longer = plan_of(tmp_path, FILM, spoken_for(tmp_path, before, {"1A@narration-1": Fraction(9, 4)}))
    assert any("cut" in line or "1A take 1" in line for line in differences(saved, longer))


def test_a_film_without_speech_keeps_its_keys_and_its_cut(tmp_path: Path) -> None:
    film = FILM.replace("speech: {provider: dashscope, voice: Ethan, dialogue: true}\n", "").replace(
        "duration: speech, pad: 0.2s, narration: The light has not gone out.", "duration: 4s"
    )
    plain = plan_of(tmp_path, film.replace(", narration: Nobody.", "").replace("{speech: Cherry}", "{}"), NOTHING)
    with_voices = plan_of(tmp_path, film.replace(", narration: Nobody.", ""), NOTHING)
    assert [take.key for take in plain.clips] == [take.key for take in with_voices.clips]
    assert not any(take.kind == "speech" and not take.chosen.is_free for take in with_voices.takes)


def test_a_draft_has_the_speech_of_its_film_and_a_drawn_one_buys_none(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(FILM + "draft: {resolution: 480p, model: wan3.0-video}\n")
    film = read(tmp_path / "film.yaml")
    draft, whole = (make_plan(film, NOTHING, prices=PRICES, draft=is_draft) for is_draft in (True, False))
    assert [take.key for take in draft.speech] == [take.key for take in whole.speech]
    assert [event.frames for event in draft.cut.events] == [event.frames for event in whole.cut.events]
    (tmp_path / "film.yaml").write_text(FILM + "draft: {provider: animatic}\n")
    drawn = make_plan(read(tmp_path / "film.yaml"), NOTHING, prices=PRICES, draft=True)
    assert not drawn.bought and drawn.other and drawn.other.bought


def test_speech_that_must_be_approved_holds_back_what_hangs_on_it_and_the_film(tmp_path: Path) -> None:
    reviewed = FILM.replace(
        "defaults: {provider: dashscope}", "defaults: {provider: dashscope, review: {speech: required}}"
    )
    made = spoken_for(tmp_path, plan_of(tmp_path, reviewed), dict.fromkeys(SPEECH, Fraction(3)))
    plan = plan_of(tmp_path, reviewed, made)
    assert {take.review for take in plan.speech} == {"wfa"}
    assert take_of(plan, "1A").waits_for == ("1A@narration-1",)
    assert "1A@narration-1" in reason_of(take_of(plan, "1A")) and "the speech" not in reason_of(take_of(plan, "1C"))
    assert set(shots_to_approve(plan)) == set(SPEECH), "narration is heard in the film, whatever waits for it"

    word = NewVerdict(key=take_of(plan, "1A@narration-1").key, film=plan.title, slate="1A@narration-1", take=1,
                      word=Word.APPROVED)  # fmt: skip
    approved = plan_of(tmp_path, reviewed, with_verdicts(made, [word]))
    assert take_of(approved, "1A").waits_for == () and take_of(approved, "1B").waits_for == ("1B@line-1",)
    refused = word.model_copy(update={"word": Word.RETAKE})
    again = plan_of(tmp_path, reviewed, with_verdicts(made, [refused]))
    assert [take.take for take in again.speech if take.shot == "1A@narration-1"] == [1, 2]
    assert take_of(again, "1A").is_estimate and take_of(again, "1A").waits_for


def test_speech_whose_file_is_damaged_holds_back_the_clip_and_is_fetched_again(tmp_path: Path) -> None:
    made = spoken_for(tmp_path, plan_of(tmp_path, FILM), dict.fromkeys(SPEECH, Fraction(3)))
    plan = plan_of(tmp_path, FILM, made.model_copy(update={"file_of": lambda _: None}))
    assert {take.state for take in plan.speech} == {"resuming"}
    assert [take.shot for take in plan.waiting] == ["1A", "1B"]


def test_a_time_after_the_end_of_a_film_that_lasts_as_its_lines_is_told_once_these_are_known(tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(b"")
    head, _, rest = FILM.partition("shots:")
    spoken_for(tmp_path, plan_of(tmp_path, FILM), {"1A@narration-1": Fraction(2)})
    next(tmp_path.glob("*[0-9a-f].wav")).rename(tmp_path / "song.wav")
    late = f"{head}music: [{{file: song.wav, start: 60s}}]\nshots:{rest}"
    plan = plan_of(tmp_path, late)
    assert "if the film is as long as it seems to be, the music starts after the film" in plan.warnings
    made = spoken_for(tmp_path, plan, dict.fromkeys(SPEECH, Fraction(3)))
    with pytest.raises(StoryboardError, match="the music starts after the film"):
        plan_of(tmp_path, late, made)
