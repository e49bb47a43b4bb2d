"""Whose file is it: by content, exactly one, or the message says what was missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Toy  # type: ignore[attr-defined]
from test_bad_input import lines, record

from aftershock.adapters.base import Export, Sample
from aftershock.ingest.containers import PEEK_BYTES, expand
from aftershock.ingest.peek import json_start, json_values
from aftershock.ingest.recognise import recognise


def test_the_name_of_a_file_says_nothing(toy: Toy) -> None:
    assert toy.one(toy.file(lines([record(1), record(2)]), "holiday.jpg")).outcome == "taken"


def test_an_unknown_file_gets_the_nearest_guess_and_what_was_missing(toy: Toy) -> None:
    result = toy.one(lines([{"run": "r1", "job": "j"}, {"run": "r2", "job": "j"}]))
    assert result.outcome == "unknown"
    assert result.message == "nearest is toy (records), but there is no state"


def test_an_unknown_file_does_not_stop_the_others(toy: Toy) -> None:
    result = toy.take("just words\n", lines([record(1), record(2)]))
    assert [file.outcome for file in result.files] == ["unknown", "taken"]


def test_a_file_that_two_claim_names_both(toy: Toy) -> None:
    exports = (
        *toy.adapter.exports,
        Export(name="twin", form="json", requires=frozenset({"run"}), columns={}, select={}),
    )
    sample = Sample("json", top=record(1))
    verdict = recognise([sample], [_with(toy, exports)])
    assert verdict.outcome == "ambiguous"
    assert "toy (records)" in verdict.message
    assert "toy (twin)" in verdict.message


def test_what_is_forbidden_or_looks_otherwise_is_not_claimed(toy: Toy) -> None:
    export = Export(
        name="x",
        form="json",
        requires=frozenset({"a.b"}),
        forbids=frozenset({"c"}),
        where=lambda one: one["a"]["b"] == 1,
        columns={},
        select={},
    )
    adapters = [_with(toy, (export,))]
    assert recognise([Sample("json", top={"a": {"b": 1}})], adapters).outcome == "taken"
    assert recognise([Sample("json", top={"a": {"b": 2}})], adapters).outcome == "unknown"
    assert recognise([Sample("json", top={"a": {"b": 1}, "c": 0})], adapters).outcome == "unknown"


def test_an_empty_page_with_a_telling_name_is_ours(toy: Toy) -> None:
    result = toy.one(json.dumps({"page": {"toys": []}}))
    assert (result.outcome, result.records_read) == ("taken", 0)


def test_recognition_reads_only_the_beginning(toy: Toy) -> None:
    page = json.dumps({"page": {"toys": [record(i) for i in range(5000)]}})
    assert len(page) > 4 * PEEK_BYTES
    assert toy.one(page).mapped == 5000


@pytest.mark.parametrize("cut", range(1, 140, 7))
def test_a_text_cut_off_anywhere_still_shows_its_beginning(cut: int) -> None:
    text = json.dumps({"data": [{"id": 1, "name": 'a "b" \\ {[', "more": {"x": [1, 2, {"y": None}]}}, {"id": 2}]})
    values = json_values(text[:cut])
    assert values == [] or isinstance(values[0], dict)


def test_json_may_start_after_lines_of_text_but_a_log_line_in_brackets_is_no_json() -> None:
    assert json_start('warning: x\n[{"a": 1}]') == 11
    assert json_start("[2026-11-23] started\n[2026-11-23] ended\n") is None
    assert json_start("hello") is None


def test_folders_and_patterns_are_expanded_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b/2.json", "a/1.json", "a/.hidden", ".git/x.json", "a/n.sqlite", "a/n.sqlite-wal"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    names = [file.relative_to(tmp_path).as_posix() for file in expand([tmp_path])]
    assert names == ["a/1.json", "a/n.sqlite", "b/2.json"]
    assert [file.name for file in expand([tmp_path / "[ab]" / "*.json"])] == ["1.json", "2.json"]
    with pytest.raises(FileNotFoundError, match="no such file"):
        expand([tmp_path / "nothing*"])


def _with(toy: Toy, exports: tuple[Export, ...]):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(toy.adapter, exports=exports)
