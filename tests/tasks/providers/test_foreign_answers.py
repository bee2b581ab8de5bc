"""Whatever text and numbers a service answers with: it can be stored and printed, and ids are asked for exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.foreign_text import exact, printable
from storyreel.tasks.providers.http.response import Response, amount_at, id_at, odd_amount, parsed, url_part, value_at
from tests.properties import one_in

ANY = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\x1b\ud83d\u202e\\ux0\"'"), max_size=30)
AMOUNTS = ("1e60", "-1", "NaN", "Infinity", "1" + "0" * 400, "1e999", '"free"', "true", "1000001")


@given(st.recursive(ANY | st.integers() | st.none(), lambda of: st.lists(of) | st.dictionaries(ANY, of), max_leaves=8))
def test_every_text_of_a_body_can_be_stored_and_printed_and_none_is_lost(value: Any) -> None:
    def check(read: Any, sent: Any) -> None:
        if isinstance(sent, str):
            assert printable(read) == read
            assert exact(read) == sent
            read.encode()
        elif isinstance(sent, list):
            for pair in zip(read, sent, strict=True):
                check(*pair)
        elif isinstance(sent, dict):
            assert len(read) == len(sent)
            for name in sent:
                check(next(value for key, value in read.items() if exact(key) == name), sent[name])

    check(parsed(json.dumps(value).encode()), value)


@given(ANY.filter(str.strip))
def test_an_id_is_asked_for_exactly_as_it_was_given(id: str) -> None:
    read = id_at(parsed(json.dumps({"id": id}).encode()), "id")
    asked = unquote_to_bytes(url_part(read))
    assert asked in (id.encode(errors="surrogatepass"), _as_bytes(id))
    assert url_part(read).isascii() and "/" not in url_part(read)


def _as_bytes(id: str) -> bytes | None:
    try:
        return id.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return None


@given(st.binary(max_size=40))
@one_in(2)
def test_bytes_of_no_encoding_beside_an_id_do_not_lose_it(noise: bytes) -> None:
    noise = noise.replace(b'"', b"").replace(b"\\", b"")
    read = parsed(b'{"id": "task-7", "message": "' + noise + b'"}')
    assert value_at(read, "id") == "task-7"


def test_a_number_is_an_id_too_and_a_long_one_stays_exact() -> None:
    assert id_at(parsed(b'{"id": 7}'), "id") == "7"
    assert id_at(parsed(b'{"id": 12345678901234567890123}'), "id") == "12345678901234567890123"
    assert id_at(parsed(b'{"id": true}'), "id") == ""
    assert id_at(parsed(json.dumps({"id": "x" * 5000}).encode()), "id") == ""


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_that_makes_no_sense_is_unknown_with_a_warning(amount: str) -> None:
    body = parsed(f'{{"usage": {{"usd": {amount}}}}}'.encode())
    assert amount_at(body, "usage", "usd") is None
    warning = odd_amount(body, "usage", "usd")
    assert "makes no sense" in warning and len(warning) < 200


@pytest.mark.parametrize("amount", ["0", "0.42", "1e-7", "1000000"])
def test_an_amount_that_makes_sense_is_exact(amount: str) -> None:
    body = parsed(f'{{"usd": {amount}}}'.encode())
    assert amount_at(body, "usd") == Decimal(amount)
    assert odd_amount(body, "usd") == odd_amount(body, "nothing") == ""


def test_a_message_is_cut_without_leaving_half_a_secret() -> None:
    body = json.dumps({"message": "x" * 590 + " https://a.example/?token=verysecretvalue"}).encode()
    assert "very" not in Response(400, {}, body).message()
