"""Recognition over the whole zoo: every sample of every adapter is claimed by exactly one of them, its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo import FAMILIES, FOLDER, NOT_SAMPLES, is_of_family, samples_of

from aftershock.adapters.registry import adapters
from aftershock.ingest.containers import PEEK_BYTES, Opened, opened
from aftershock.ingest.recognise import recognise


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda folder: folder.name)
def test_every_sample_is_claimed_by_exactly_one_adapter_of_its_family(folder: Path) -> None:
    wrong = {}
    for file in samples_of(folder):
        with opened(file) as inside:
            for found in inside:
                assert isinstance(found, Opened), found
                verdict = recognise(found.samples, adapters().values())
                claimed = verdict.claim.adapter.name if verdict.claim else f"{verdict.outcome}: {verdict.message}"
                if not is_of_family(claimed, folder.name):
                    wrong[str(Path(found.name).relative_to(FOLDER))] = claimed
    assert not wrong


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda folder: folder.name)
def test_what_is_not_a_log_of_runs_is_claimed_by_nobody(folder: Path) -> None:
    claimed = {}
    for file in sorted(folder.rglob("not_ours/**/*")):
        if file.is_file() and not file.name.startswith(NOT_SAMPLES):
            with opened(file) as inside:
                for found in inside:
                    if isinstance(found, Opened):
                        verdict = recognise(found.samples, adapters().values())
                        if verdict.outcome != "unknown":
                            claimed[file.name] = verdict.claim.adapter.name if verdict.claim else verdict.message
    assert not claimed


@pytest.mark.parametrize("name", sorted(adapters()))
def test_every_adapter_has_samples(name: str) -> None:
    folders = [folder for folder in FAMILIES if is_of_family(name, folder.name)]
    assert any(samples_of(folder) for folder in folders), "no samples of it in tests/adapters"


def test_recognition_sees_no_more_than_the_beginning_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    file.write_text('[{"a": "' + "x" * 3 * PEEK_BYTES + '"}]', encoding="utf-8")
    with opened(file) as inside:
        for found in inside:
            assert isinstance(found, Opened)
            assert all(len(sample.text.encode()) <= PEEK_BYTES for sample in found.samples)
