"""Which runs are whose, and which business records they touched: as aftershock.toml says."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Toy  # type: ignore[attr-defined]
from support import ingested
from test_bad_input import lines, record

from aftershock.errors import ProjectError
from aftershock.project import load

CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ automation = "acme*" }, { path = "customer.name", equals = "acme" }, { path = "tenant", equals = "acme" }]
[[clients]]
id = "globex"
name = "Globex"
runs = [{ automation = "globex*" }, { path = "tenant", equals = "globex" }]
[[records]]
entity = "order"
keys = ["order_id", "orderId"]
[[records]]
entity = "order"
pattern = 'GLX-\\d+'
client = "globex"
"""


def clients(toy: Toy) -> list[tuple[object, ...]]:
    return list(toy.sql("select native_id, client, shared from runs order by native_id"))


def touches(toy: Toy) -> list[tuple[object, ...]]:
    return list(toy.sql("select run_id, client, entity_key from touches order by all"))


def test_a_client_is_found_by_the_name_of_the_automation(toy: Toy) -> None:
    toy.toml = CLIENTS
    toy.take(lines([record(1, job="acme / Orders"), record(2, job="Globex sync"), record(3, job="other")]))
    assert clients(toy) == [("r1", "acme", False), ("r2", "globex", False), ("r3", None, False)]


def test_a_client_is_found_by_a_path_or_a_key_at_any_depth_of_the_payload(toy: Toy) -> None:
    toy.toml = CLIENTS
    toy.take(
        lines(
            [
                record(1, note={"customer": {"name": "acme"}}),
                record(2, note={"a": [{"tenant": "Globex"}]}),
                record(3, note={"tenant": "acmee"}),
            ]
        )
    )
    assert clients(toy) == [("r1", "acme", False), ("r2", "globex", False), ("r3", None, False)]


def test_a_run_that_fits_two_clients_is_shared_and_belongs_to_neither(toy: Toy) -> None:
    toy.toml = CLIENTS
    toy.take(lines([record(1, job="acme x", note={"tenant": "globex"}), record(2)]))
    assert clients(toy)[0] == ("r1", None, True)


def test_keys_are_found_by_name_in_json_quoted_json_and_text(toy: Toy) -> None:
    toy.toml = CLIENTS
    notes = [
        {"order_id": "A-1"},
        {"body": '{"orderId": "A-2"}'},
        "order_id=A-3 done",
        {"order_id": 4},
        {"order_id": None},
        {"order_ids": "no"},
    ]
    toy.take(lines([record(i, job="acme", note=note) for i, note in enumerate(notes)]))
    assert touches(toy) == [
        ("toy:r0", "acme", "A-1"),
        ("toy:r1", "acme", "A-2"),
        ("toy:r2", "acme", "A-3"),
        ("toy:r3", "acme", "4"),
    ]


def test_a_pattern_finds_keys_anywhere_and_may_say_whose_they_are(toy: Toy) -> None:
    toy.toml = CLIENTS
    toy.take(lines([record(1, job="acme", note="moved GLX-7 and GLX-8, GLX-7 again"), record(2)]))
    assert touches(toy) == [("toy:r1", "globex", "GLX-7"), ("toy:r1", "globex", "GLX-8")]


def test_keys_are_found_before_secrets_are_taken_out_and_hashed_where_asked(toy: Toy) -> None:
    toy.toml = '[[records]]\nentity = "contact"\nkeys = ["email"]\nhashed = true\n'
    toy.take(lines([record(1, note={"email": "Ann@Example.org"}), record(2, note={"email": "ann@example.org"})]))
    keys = {key for _, _, key in touches(toy)}
    assert len(keys) == 1
    assert "@" not in str(keys.pop())


def test_a_change_of_the_rules_has_known_files_read_again_without_doubling_anything(toy: Toy) -> None:
    content = lines([record(1, job="acme", note={"order_id": "A-1"}), record(2)])
    toy.take(content)
    assert clients(toy)[0] == ("r1", None, False)
    toy.toml = CLIENTS
    assert toy.one(content).outcome == "taken"
    assert clients(toy)[0] == ("r1", "acme", False)
    assert toy.sql("select (select count(*) from imports), (select count(*) from status_history)") == [(1, 2)]
    toy.toml = ""
    toy.take(content)
    assert clients(toy)[0] == ("r1", None, False)
    assert touches(toy) == []


def test_a_source_covers_whole_days_only_where_it_is_declared(toy: Toy) -> None:
    content = lines([record(1), record(2, begin="2026-11-21T09:00:00Z", end=None)])
    toy.take(content)
    assert toy.sql("select covers_from::VARCHAR, covers_to::VARCHAR, completeness from coverage") == [
        ("2026-11-20 10:00:00+00", "2026-11-21 09:00:00+00", "unknown")
    ]
    toy.toml = '[[sources]]\nname = "main"\ntool = "toy"\ncovers = "day"\ntime_zone = "Europe/Berlin"\n'
    toy.take(content)
    assert toy.sql(
        "select covers_from::VARCHAR, covers_to::VARCHAR, completeness from coverage where source = 'main' order by 1"
    ) == [
        ("2026-11-19 23:00:00+00", "2026-11-20 23:00:00+00", "complete"),
        ("2026-11-20 23:00:00+00", "2026-11-21 23:00:00+00", "complete"),
    ]
    assert toy.sql("select run_id from runs where source = 'main' order by 1") == [("toy@main:r1",), ("toy@main:r2",)]


@pytest.mark.parametrize(
    ("toml", "key", "remedy"),
    [
        ('time_zone = "Mars"', "time_zone", "IANA"),
        ('[[clients]]\nid = "A B"\nname = "x"', "clients.0.id", "lower-case"),
        ('[[records]]\nentity = "o"', "records.0", "say where the key is"),
        ('[[records]]\nentity = "o"\npattern = "("', "records.0.pattern", "no regular expression"),
        (
            '[[expectations]]\nname = "e"\nentity = "o"\nafter = "a"\nthen = "b"\nwithin = 30',
            "expectations.0.within",
            "with its unit",
        ),
        (
            '[[expectations]]\nname = "e"\nentity = "o"\nafter = "a"\nthen = "b"\nwithin = "30m"',
            "expectations.0.entity",
            "no [[records]]",
        ),
        ("nonsense = 1", "nonsense", "not permitted"),
        ("a = [", "the whole file", "no valid TOML"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_file_key_and_remedy(
    toy: Toy, toml: str, key: str, remedy: str
) -> None:
    toy.folder.mkdir()
    (toy.folder / "aftershock.toml").write_text(toml)
    with pytest.raises(ProjectError) as caught:
        load(toy.folder)
    assert caught.value.key == key
    assert remedy in str(caught.value)
    assert str(caught.value).startswith("aftershock.toml: ")


def test_a_pattern_that_only_python_knows_is_refused_before_any_file_is_read(toy: Toy) -> None:
    toy.toml = "[[records]]\nentity = 'o'\npattern = '(?<=x)y'\n"
    with pytest.raises(ProjectError, match="DuckDB"):
        toy.take(lines([record(1), record(2)]))


def test_a_run_that_goes_on_again_has_no_end(toy: Toy) -> None:
    later = "2026-11-20T12:00:00Z"
    toy.take(lines([record(1), record(2)]), lines([record(1, state="busy", begin=later, end=None), record(2)]))
    assert toy.sql("select status, ended_at, duration_s from runs where native_id = 'r1'") == [("running", None, None)]


def test_a_run_without_an_error_of_its_own_has_that_of_its_failed_step(tmp_path: Path) -> None:
    folder = Path(__file__).parents[1] / "adapters" / "airflow"
    files = [
        *folder.glob("dagRuns.offset*"),
        *folder.glob("taskInstances.offset*"),
        folder / "logs.000.json",
        folder / "logs.027.json",
    ]
    with ingested(tmp_path / "p", files) as ledger:
        query = "select native_id, runs.error_type from runs join steps using (run_id) where steps.fingerprint = runs.fingerprint order by 1"
        assert [row[0] for row in ledger.sql(query).fetchall()] == [
            "bulk-child3",
            "manual__2026-11-23T02:11:30.240177+00:00",
        ]
        assert not ledger.sql("select 1 from runs where status = 'succeeded' and error_message is not null").fetchall()


def test_a_quoted_key_is_read_to_its_closing_quote(toy: Toy) -> None:
    toy.toml = '[[records]]\nentity = "order"\nkeys = ["ref"]\n'
    notes = [{"ref": "SO:1001"}, {"ref": "ACME 18"}, {"body": '{"ref": "A;1"}'}, "ref='B 2' done", "ref=C-3; next"]
    toy.take(lines([record(i, note=note) for i, note in enumerate(notes)]))
    assert [key for _, _, key in touches(toy)] == ["SO:1001", "ACME 18", "A;1", "B 2", "C-3"]


def test_keys_are_found_in_tags_and_correlation_ids(tmp_path: Path) -> None:
    toml = """
[[records]]
entity = "order"
pattern = 'ORD-\\d+'
[mappings.mine]
tool = "mine"
fields = { native_id = "Nr", correlation_id = "Ref" }
"""
    file = tmp_path / "a.csv"
    file.write_text("Nr,Ref\n1,ORD-1001\n2,\n", encoding="utf-8")
    with ingested(tmp_path / "p", [file], toml) as ledger:
        assert ledger.sql("select entity_key from touches").fetchall() == [("ORD-1001",)]


def test_a_file_written_at_noon_says_nothing_of_the_afternoon(toy: Toy) -> None:
    toy.toml = '[[sources]]\nname = "toy"\ntool = "toy"\ncovers = "day"\n'
    path = toy.file(lines([record(1), record(2)]))
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))
    toy.take(path)
    assert toy.sql("select covers_to::VARCHAR from coverage") == [("2026-11-20 12:00:00+00",)]
