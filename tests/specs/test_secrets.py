"""No secret is left in a text that is shown, stored or sent, and nothing else is taken out of it."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.secrets import hidden

KEYS = st.text("abcXYZ0189-_+/=%$.", min_size=8, max_size=60).map(lambda text: f"k9{text}")
AROUND = st.text(" abc{}\"'\n:,", max_size=20)


@given(KEYS, AROUND, AROUND)
def test_a_key_of_the_environment_is_hidden_in_each_of_its_encodings(key: str, before: str, after: str) -> None:
    for form in (key, quote(key, safe=""), quote_plus(key), base64.b64encode(key.encode()).decode()):
        shown = hidden(f"{before} {form} {after}", environment={"APIYI_API_KEY": f" {key} "})
        assert form.rstrip("=") not in shown
        assert shown.startswith(before)
        assert shown.endswith(after)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://storyreel:hunter2@db.example:5432/films", "postgresql://…@db.example:5432/films"),
        ("postgresql+psycopg://u:p@ss:w@rd@db/films", "postgresql+psycopg://…@db/films"),
        (
            "postgresql://db/films?user=u&password=hunter2&sslmode=on",
            "postgresql://db/films?user=u&password=…&sslmode=on",
        ),
        ("postgresql+psycopg://u:p/w:rd@db/films", "postgresql+psycopg://…@db/films"),
        ("host=db password=hunter2 dbname=films", "host=db password=… dbname=films"),
        ("s3://AKIA123:c2VjcmV0/x+y@minio:9000/films", "s3://…@minio:9000/films"),
        ("https://ghp_1234567@example.com/film.yaml", "https://…@example.com/film.yaml"),
        (
            "https://b.s3.amazonaws.com/x.png?X-Amz-Credential=A%2F1&X-Amz-Signature=ab12&v=2",
            "https://b.s3.amazonaws.com/x.png?X-Amz-Credential=…&X-Amz-Signature=…&v=2",
        ),
        (
            "https://x.example/a?Expires=17&OSSAccessKeyId=L1&Signature=q%3D",
            "https://x.example/a?Expires=17&OSSAccessKeyId=…&Signature=…",
        ),
        ("https://x.example/a?sv=2024&sig=ab%2F&se=1", "https://x.example/a?sv=2024&sig=…&se=1"),
        ("see https://x.example/a?id=7&TOKEN=t0k, then", "see https://x.example/a?id=7&TOKEN=… then"),
        ("Authorization: Bearer sk-abcdefgh12", "Authorization: Bearer …"),
        ("https://x.example/#access_token=abc", "https://x.example/#access_token=…"),
    ],
)
def test_addresses_and_headers_keep_no_password_and_no_signature(text: str, shown: str) -> None:
    assert hidden(text, environment={}) == shown
    assert hidden(shown, environment={}) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com:8080/a/picture@2x.png?monkey=1&author=Ann",
        "write to ann@example.com about http://example.com/",
        "set STORYREEL_LEDGER_URL to postgresql://user:password@host/database",
        "key=1 sign=2 sig=3",
        "storyreel render film.yaml --set weather=fog",
        "export APIYI_API_KEY=…",
        "The basic plan: bearer of bad news, a secret: none",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hidden(text, environment={"APIYI_API_KEY": "on", "PGPASSWORD": "storyreel"}) == text


def test_a_password_in_an_address_of_the_environment_is_hidden_where_it_stands_alone() -> None:
    environment = {"STORYREEL_LEDGER_URL": "postgresql://u:hunt%40er2!@db/films"}
    assert hidden("password hunt@er2! is wrong", environment=environment) == "password … is wrong"
    environment = {"STORYREEL_CLIPS_URL": "s3://AKIA01:abc/def+ghi@films/clips"}
    for told in ("no bucket AKIA01:abc", "no folder AKIA01:abc/def+ghi@films", "key abc/def+ghi"):
        assert "abc" not in hidden(told, environment=environment)


@pytest.mark.parametrize("part", ["://a:", "://", "a.b-c", "token", "?key", "a=", "u@", "Bearer "])
def test_no_text_takes_longer_than_its_length(part: str) -> None:
    assert len(hidden(part * 50_000, environment={})) > 0
