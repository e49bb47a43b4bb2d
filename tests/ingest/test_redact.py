"""Secrets leave the text, everything else stays, and Python and DuckDB do the same."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftershock.ingest.redact import EMAIL, SECRET_PATTERNS, redact, redact_sql

_FILL = {"{A}": "aB3dE5gH7j" * 4, "{H}": "0a1b2c3d4e5f6978" * 2}
_CORPUS = tomllib.loads((Path(__file__).parent / "redact_corpus.toml").read_text(encoding="utf-8"))
_PERSONAL = ("customer_name", "Straße", "phone")
_PEM = "-----BEGIN " + "PRIVATE KEY-----"  # in two parts, for hosts that scan what is pushed


def _filled(parts: list[str] | str) -> str:
    text = "".join(parts)
    for name, value in _FILL.items():
        text = text.replace(name, value)
    return text


TRUE = [(_filled(example["text"]), example["becomes"]) for example in _CORPUS["redacted"]]
FALSE = [example["text"] for example in _CORPUS["kept"]]


@pytest.fixture(scope="module")
def in_duckdb() -> Any:
    """`redact` as DuckDB does it."""
    with duckdb.connect() as connection:

        def run(text: str | None, *, emails: bool = False, personal_fields: tuple[str, ...] = ()) -> str | None:
            expression = redact_sql("said", emails=emails, personal_fields=personal_fields)
            row = connection.execute(f"select {expression} from (select ?::varchar as said)", [text]).fetchone()
            return row[0] if row else None

        yield run


def test_the_corpus_has_eighty_examples_and_more() -> None:
    assert len(TRUE) + len(FALSE) >= 80


@pytest.mark.parametrize(("text", "expected"), TRUE)
def test_a_secret_is_taken_out_and_its_name_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("text", FALSE)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", [text for text, _ in TRUE] + FALSE)
def test_duckdb_does_the_same(text: str, in_duckdb: Any) -> None:
    assert in_duckdb(text) == redact(text)


@pytest.mark.parametrize("text", [text for text, _ in TRUE] + FALSE)
def test_duckdb_does_the_same_with_personal_data(text: str, in_duckdb: Any) -> None:
    assert in_duckdb(text, emails=True, personal_fields=_PERSONAL) == redact(
        text, emails=True, personal_fields=_PERSONAL
    )


@pytest.mark.parametrize("text", [text for text, _ in TRUE])
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text, emails=True, personal_fields=_PERSONAL)
    assert redact(once, emails=True, personal_fields=_PERSONAL) == once


@pytest.mark.parametrize("pattern", [*SECRET_PATTERNS, EMAIL], ids=lambda pattern: pattern.name)
def test_the_guard_misses_nothing_that_a_pattern_finds(pattern: Any) -> None:
    found = [text for text, _ in TRUE if re.search(pattern.pattern, text, re.ASCII)]
    assert [text for text in found if not re.search(pattern.hint, text, re.ASCII)] == []


@pytest.mark.parametrize("pattern", SECRET_PATTERNS, ids=lambda pattern: pattern.name)
def test_every_pattern_has_an_example(pattern: Any) -> None:
    assert any(re.search(pattern.pattern, text, re.ASCII) for text, _ in TRUE)


def test_nothing_stays_nothing(in_duckdb: Any) -> None:
    assert in_duckdb(None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail to anna.muster+x@example.com bounced", "mail to …@example.com bounced"),
        ("to=anna%40example.com&x=1", "to=…%40example.com&x=1"),
        ("jürgen@müller.example and <ops@acme.co.uk>", "…@müller.example and <…@acme.co.uk>"),
        ("a@b.de,c@d.de;e@f.de", "…@b.de,…@d.de;…@f.de"),
        ("actions/checkout@v4 lodash@4.17.21", "actions/checkout@v4 lodash@4.17.21"),
        ('{"to":"anna@example.com"}', '{"to":"…@example.com"}'),
    ],
)
def test_an_address_keeps_its_domain(text: str, expected: str) -> None:
    assert redact(text, emails=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"customer_name": "Erika \\"E\\" Muster", "id": 7}', '{"customer_name": "[personal]", "id": 7}'),
        ('{"Customer_Name":"Erika"}', '{"Customer_Name":"[personal]"}'),
        ("{'phone': '+49 30 1', 'id': 7}", "{'phone': '[personal]', 'id': 7}"),
        ('{"phone": 4930123456, "id": 7}', '{"phone": "[personal]", "id": 7}'),
        ('{"body":"{\\"phone\\":\\"+49\\",\\"id\\":7}"}', '{"body":"{\\"phone\\":\\"[personal]\\",\\"id\\":7}"}'),
        ('{"customer_name":{"first":"Erika","last":"M"},"id":7}', '{"customer_name":"[personal]","id":7}'),
        ('{"phone":["+49 30", "+49 40"],"id":7}', '{"phone":"[personal]","id":7}'),
        ("no answer, phone=+4930 id=7", "no answer, phone=[personal] id=7"),
        ("Straße: Musterweg 7\nOrt: X", "Straße: [personal]\nOrt: X"),
        ('{"phone_type": "mobile", "smartphone": "X"}', '{"phone_type": "mobile", "smartphone": "X"}'),
    ],
)
def test_personal_fields_lose_their_text(text: str, expected: str, in_duckdb: Any) -> None:
    assert redact(text, personal_fields=_PERSONAL) == expected
    assert in_duckdb(text, personal_fields=_PERSONAL) == expected


def test_a_field_name_is_no_pattern() -> None:
    assert redact('{"a.b": "x", "axb": "y"}', personal_fields=("a.b",)) == '{"a.b": "[personal]", "axb": "y"}'


_WORDS = st.sampled_from(
    [
        *(
            "password",
            "Passwort",
            "pwd",
            "token",
            "api_key",
            "X-Api-Key",
            "Authorization",
            "cookie",
            "set-cookie",
            "sig",
            "signature",
        ),
        *(
            "=",
            ":",
            ": ",
            " = ",
            '"',
            "'",
            '\\"',
            '\\\\\\"',
            '":"',
            '": "',
            "%3D",
            "=>",
            "&",
            ";",
            ",",
            " ",
            "\n",
            "\r\n",
            "\t",
            "\v",
            "\f",
        ),
        *(
            "Bearer ",
            "Basic ",
            "eyJhbGciOi.",
            "eyJzdWIiOi",
            "hunter2",
            "ORD-1001",
            "abc",
            "0123456789",
            "aB3dE5gH7jaB3dE5gH7j",
            "://",
            "@",
            ".com",
        ),
        *(
            "user",
            "/",
            "<",
            ">",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "--",
            _PEM,
            "\\",
            "customer_name",
            "phone",
            "value",
            "name",
        ),
        *("ſ", "K", "ı", "é", "…", "\u00a0", "\u2028", "😀", "[redacted]", "[personal]"),
    ]
)
_TEXTS = st.lists(
    st.one_of(_WORDS, st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=6)),
    max_size=14,
).map("".join)


@given(text=_TEXTS)
@settings(max_examples=400, deadline=None)
def test_both_engines_agree_on_any_text(text: str, in_duckdb: Any) -> None:
    assert in_duckdb(text, emails=True, personal_fields=_PERSONAL) == redact(
        text, emails=True, personal_fields=_PERSONAL
    )


@given(text=_TEXTS)
@settings(max_examples=400, deadline=None)
def test_the_guard_never_hides_a_secret(text: str) -> None:
    found = [pattern.name for pattern in (*SECRET_PATTERNS, EMAIL) if re.search(pattern.pattern, text, re.ASCII)]
    hinted = [pattern.name for pattern in (*SECRET_PATTERNS, EMAIL) if re.search(pattern.hint, text, re.ASCII)]
    assert set(found) <= set(hinted)


@pytest.mark.parametrize("filler", ["x", "a@", "token=", '\\"', "://a:", _PEM, "<a", "eyJ", "--", "a.", "pwd:"])
def test_hostile_text_takes_time_in_proportion_to_its_length(filler: str) -> None:
    def seconds(length: int) -> float:
        text = (filler * length)[:length] + " token=abc @"
        began = time.process_time()
        redact(text, emails=True)
        return time.process_time() - began

    seconds(1_000)
    assert seconds(64_000) < 16 * max(seconds(8_000), 0.02)
