"""What varies in a message is taken out, the same by Python, DuckDB and an Ibis expression."""

from __future__ import annotations

import duckdb
import ibis
import numpy as np
import pytest

from aftershock.masks import MASKS, WILD, masked, masked_sql
from aftershock.metrics import mask

EXAMPLES = [(one.name, text) for one in MASKS for text in one.examples]


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[f"{name}: {text}" for name, text in EXAMPLES])
def test_an_example_of_a_mask_is_taken_whole_within_a_sentence(name: str, text: str) -> None:
    sentence = f"read {text} now"
    assert masked(sentence) == sentence.replace(text, WILD)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KeyError: 'customer'", "KeyError: <*>"),
        ('column "customer_id" does not exist', "column <*> does not exist"),
        ('401 - {"error":"invalid_grant"}', '<*> - {"error":"invalid_grant"}'),
        ('401 - {"error": "invalid_grant"}', '<*> - {"error": "invalid_grant"}'),
        ("I don't know, you can't", "I don't know, you can't"),
        ("Input/output error", "Input/output error"),
        ("java.net.NoRouteToHostException: no route", "java.net.NoRouteToHostException: no route"),
        ("via HTTPS, not SOCKS5", "via HTTPS, not SOCKS<*>"),
        ("node-246 and node-3", "node-<*> and node-<*>"),
        ("to 10.0.0.1:80, 10.0.0.2:80 10.0.0.3:80 failed", "to <*> failed"),
        ("user () left", "user (<*>) left"),
        ("ws=WorkSource{10113}", "ws=<*>"),
        ("ended after 30 s.", "ended after <*>."),
        ("12345678 bytes (11.8 MB) sent", "<*> sent"),
        ("frozen for +1s250ms now", "frozen for <*> now"),
        (r"Component \042alt0\042 is down", "Component <*> is down"),
        ("", ""),
    ],
)
def test_words_stay_and_values_go(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_python_and_duckdb_mask_alike() -> None:
    chance = np.random.default_rng(5)
    pieces = [*(text for _, text in EXAMPLES), *"ab1:/.'\"{}=- \né-", " ", " ", "at", "Jan", "0x"]
    texts = ["".join(chance.choice(pieces, size=chance.integers(1, 12))) for _ in range(3_000)]
    with duckdb.connect() as con:
        rows = con.execute(f"select {masked_sql('text')} from (select unnest(?) as text)", [texts]).fetchall()
    assert [row[0] for row in rows] == [masked(text) for text in texts]


def test_a_column_is_masked_by_an_expression_and_null_stays_null() -> None:
    texts = [None, "a 1", 'no column "x" in /tmp/y.csv']
    table = ibis.memtable({"text": texts}, schema={"text": "string"})
    found = table.mutate(masked=mask(table.text)).execute().masked
    assert [None if value != value else value for value in found] == [None, "a <*>", "no column <*> in <*>"]


def test_the_expression_compiles_to_spark() -> None:
    table = ibis.table({"text": "string"}, name="t")
    assert "REGEXP_REPLACE" in ibis.to_sql(mask(table.text), dialect="pyspark").upper()


def test_a_number_is_no_text() -> None:
    with pytest.raises(TypeError, match="mask: int: give a text, or a text column"):
        mask(7)  # type: ignore[call-overload]


def test_masking_again_changes_nothing_in_the_examples() -> None:
    for _, text in EXAMPLES:
        once = masked(f"read {text} now")
        assert masked(once) == once
