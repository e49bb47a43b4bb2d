"""Documents that a test reads cannot go stale."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support import ROOT

from aftershock.adapters.registry import adapters
from aftershock.project import Mapping

PAGES = sorted((ROOT / "docs" / "adapters").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_TABLES = [file for file in DOCUMENTS if "[[[cog" in file.read_text(encoding="utf-8")]


def names(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_path_in_contributing_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = {path for path in re.findall(r"`([\w./<>-]+)`", text) if "/" in path and "<" not in path}
    assert len(paths) > 8
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("wanted", ["How to add an adapter", "How to add a metric"])
def test_contributing_tells_how_to_add_things(wanted: str) -> None:
    assert f"\n## {wanted}\n" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_make_target_in_the_documents_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for file in DOCUMENTS
        for line in re.findall(r"(?:^|`)make ([a-z ]+?)(?=`|\s*#|$)", file.read_text(encoding="utf-8"), re.MULTILINE)
        for word in line.split()
    }
    assert named - targets == set()


@pytest.mark.parametrize("file", DOCUMENTS, ids=names(DOCUMENTS))
def test_every_link_within_the_repository_leads_somewhere(file: Path) -> None:
    text = re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        other = file.parent / path if path else file
        if not other.exists() or (anchor and anchor not in anchors(other.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("file", WITH_TABLES, ids=names(WITH_TABLES))
def test_generated_tables_are_those_of_the_code(file: Path) -> None:
    check = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "--diff", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, f"run `make docs`\n{check.stdout[-2000:]}{check.stderr[-2000:]}"


def test_the_mapping_shown_in_the_documents_is_valid() -> None:
    text = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    mapping = Mapping.model_validate(tomllib.loads(example)["mappings"]["nightly"])
    assert mapping.status == {"OK": "succeeded", "ERR": "failed"}


def test_the_architecture_names_every_part_of_the_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    parts = {
        path.stem
        for path in (ROOT / "toolkit" / "aftershock").iterdir()
        if path.suffix in ("", ".py") and not path.name.startswith("_")
    }
    assert sorted(part for part in parts if f"`{part}`" not in text) == []


def test_every_adapter_has_its_page_and_every_page_its_adapter() -> None:
    assert [page.stem for page in PAGES] == sorted(adapters())


def test_the_pages_of_adapters_say_what_their_docstrings_say() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", *map(str, PAGES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, f"run `make docs`\n{check.stdout[-2000:]}{check.stderr[-2000:]}"
