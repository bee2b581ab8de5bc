"""The last order of each take of a film, with which a plan is compared."""

from __future__ import annotations

from storyreel.tasks.ledger.ledger import Ledger, Order
from tests.tasks.ledger.ordering import CLIP, an_order, row


def take(key: str, slate: str = "1A", number: int = 1, **more: str) -> Order:
    return an_order(key, slate=slate, **more).model_copy(update={"take": number})


def found(ledger: Ledger, *slates: str, film: str = "The Keeper") -> dict[tuple[str, int], str]:
    return {name[:2]: purchase.order.key for name, purchase in ledger.latest(film, slates).items()}


def test_the_last_order_of_each_service_is_found(ledger: Ledger) -> None:
    ledger.intend(take("drawn").model_copy(update={"provider": "animatic"}))
    ledger.intend(take("bought").model_copy(update={"provider": "apiyi"}))
    last = ledger.latest("The Keeper", ["1A"])
    assert {name: each.order.key for name, each in last.items()} == {
        ("1A", 1, "animatic"): "drawn",
        ("1A", 1, "apiyi"): "bought",
    }


def test_the_last_of_each_take_is_found_whatever_its_key(ledger: Ledger) -> None:
    for key, slate, number in (("a", "1A", 1), ("b", "1A", 2), ("c", "1A", 1), ("d", "1B", 1), ("e", "2A", 1)):
        ledger.intend(take(key, slate, number))
    ledger.intend(take("f", "1A", film="The Boat"))
    assert found(ledger, "1A", "1B", "9Z") == {("1A", 1): "c", ("1A", 2): "b", ("1B", 1): "d"}
    assert found(ledger, "1A", film="The Boat") == {("1A", 1): "f"}
    assert found(ledger) == {} == found(ledger, "1A", film="Nobody's")


def test_it_is_the_last_order_that_counts_not_the_last_change(ledger: Ledger) -> None:
    ledger.intend(take("a"))
    ledger.intend(take("b"))
    ledger.mark_submitted("a", "task-a", None)
    assert found(ledger, "1A") == {("1A", 1): "b"}
    ledger.mark_failed("a", "refused")
    ledger.intend_again(row(ledger, "a"), take("a"))
    assert found(ledger, "1A") == {("1A", 1): "a"}
    ledger.withdraw("a")
    assert found(ledger, "1A") == {("1A", 1): "b"}, "an order that was taken back was not the last"


def test_a_take_that_is_ordered_again_under_another_name_has_that_name(ledger: Ledger) -> None:
    ledger.intend(take("a", brief='{"action":"rain"}', scene="1"))
    ledger.mark_submitted("a", "task-a", None)
    ledger.mark_finished("a", CLIP)
    anew = take("a", "2C", 3, brief='{"action":"rain"}', scene="2")
    ledger.intend_again(row(ledger, "a"), anew)
    assert found(ledger, "1A", "2C") == {("2C", 3): "a"}
    assert ledger.latest("The Keeper", ["2C"])["2C", 3, anew.provider].order == anew


def test_the_last_draft_of_a_take_is_found_apart_from_the_last_final(ledger: Ledger) -> None:
    ledger.intend(take("final", brief='{"action":"rain"}'))
    ledger.intend(take("draft", brief='{"draft":"yes","action":"rain"}'))
    assert found(ledger, "1A") == {("1A", 1): "final"}
    assert [each.order.key for each in ledger.latest("The Keeper", ["1A"], drafts=True).values()] == ["draft"]


def test_more_shots_than_one_query_can_hold_are_all_found(ledger: Ledger) -> None:
    for number in range(0, 1200, 100):
        ledger.intend(take(f"k{number}", f"S{number}"))
    assert len(found(ledger, *(f"S{number}" for number in range(1300)))) == 12
