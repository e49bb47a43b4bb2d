"""What is in the repository: the lock file, notebooks without outputs, no trace of the machine it was made on."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import distributions

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository import ROOT, texts, tracked_files

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINNED = {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", LOCK, re.MULTILINE)}


def declared() -> list[Requirement]:
    """What pyproject.toml asks for: to run, to develop, to build."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = (
        content["project"]["dependencies"],
        content["dependency-groups"]["dev"],
        content["build-system"]["requires"],
    )
    return [Requirement(text) for group in groups for text in group]


def test_every_pinned_version_has_hashes() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9_.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_file_names_no_index_and_no_folder() -> None:
    assert (
        re.findall(r"^.*(?:://|--(?:extra-)?index|--find.links|--trusted.host|file:/|-e ).*$", LOCK, re.MULTILINE) == []
    )


def test_the_lock_file_pins_every_dependency_that_we_declare() -> None:
    versions = {
        canonicalize_name(name): pin for name, pin in re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", LOCK, re.MULTILINE)
    }
    assert [
        str(one) for one in declared() if not one.specifier.contains(versions.get(canonicalize_name(one.name), "0"))
    ] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_file_is_whole_for_each_python(python: str) -> None:
    """It is resolved on one Python; what a package needs on another one only must be in it all the same."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.9"}
    installed = {canonicalize_name(one.metadata["Name"]): one for one in distributions()}
    seen: set[tuple[str, str]] = set()
    missing = set()
    waiting = [(needed, "pyproject.toml") for needed in declared()]
    while waiting:
        needed, by = waiting.pop()
        name = canonicalize_name(needed.name)
        if name not in PINNED:
            missing.add(f"{by} needs {needed}")
        for extra in {"", *needed.extras}:
            if (name, extra) not in seen and name in installed:
                seen.add((name, extra))
                waiting += [
                    (inner, name)
                    for inner in map(Requirement, installed[name].requires or ())
                    if inner.marker is None or inner.marker.evaluate({**environment, "extra": extra})
                ]
    assert missing == set()


def test_notebooks_are_stored_without_outputs() -> None:
    dirty = []
    for file in tracked_files():
        if file.suffix == ".ipynb" and file.is_relative_to(ROOT / "notebooks"):
            for number, cell in enumerate(json.loads(file.read_text(encoding="utf-8"))["cells"], start=1):
                if cell.get("outputs") or cell.get("execution_count") is not None:
                    dirty.append(f"{file.relative_to(ROOT)}: cell {number}")
    assert dirty == []


def test_no_file_knows_the_machine_it_was_made_on() -> None:
    place = re.compile(r"/(?:work|root)/[\w.]")  # where this was developed; captures name neutral places
    found = [
        f"{file.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}: {match.group()}"
        for file, text in texts()
        for match in place.finditer(text)
    ]
    assert found == []


def test_no_file_names_a_package_index() -> None:
    index = re.compile(
        r"https?://[^\s\"'<>]*/simple\b|--(?:extra-)?index[-_]url|(?:packages|registry|files)\.[a-z]+hosted\.|registry\.[a-z]+js\."
    )
    assert [
        f"{file.relative_to(ROOT)}: {match.group()}" for file, text in texts() for match in index.finditer(text)
    ] == []
