"""The README's commands are run: `make report` in a fresh copy, the others where only the built wheel is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from repository import tracked_files
from support import ROOT

from aftershock.project import load
from aftershock.schedule.run import planned

pytestmark = pytest.mark.timeout(900)  # pages are rendered three times over, and the machine may be busy

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: Final = [
    block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if re.search(r"^\$ ", block, re.MULTILINE)
]
COMMANDS: Final = [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
INSTALL: Final = "pip install ."
(SHOWN,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
(CODE,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CRON: Final = re.findall(r"```crontab\n(.*?)\n```", README, re.DOTALL)


@dataclass(frozen=True)
class Shell:
    """Where commands are run, and with which programs first on the path."""

    programs: Path
    environment: dict[str, str]

    def run(self, command: str, folder: Path) -> str:
        """The output of a command that must succeed."""
        environment = {**self.environment, "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        result = subprocess.run(
            ["/bin/bash", "-ceu", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=800,
        )
        assert result.returncode == 0, f"$ {command}\n{result.stdout}\n{result.stderr}"
        return result.stdout


def timeless(output: str) -> str:
    """Output without how long things took."""
    return re.sub(r"\d+\.\d s\b", "0.0 s", output)


def environment() -> dict[str, str]:
    """Ours, without anything that leads to the source."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "COLUMNS")}


@pytest.fixture(scope="module")
def wheel_alone(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """An environment with the built wheel and its dependencies, and no way to the source.

    The dependencies are those already installed, seen through a path file; an editable install of ours is not followed by it.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, env=environment())
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, capture_output=True
    )
    python = folder / "venv" / "bin" / "python"
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")}))
    (purelib / "installed_already.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
    ]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, env=environment())
    # Jupyter's own files (kernels, nbconvert's base templates) lie beside the dependencies, not in the new environment.
    share = str(Path(sysconfig.get_path("data")) / "share" / "jupyter")
    return Shell(python.parent, {**environment(), "JUPYTER_PATH": share})


@pytest.fixture(scope="module")
def fresh_copy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, Path]:
    """A copy of what is committed, whose `make` finds everything installed."""
    copy = tmp_path_factory.mktemp("clone")
    for file in tracked_files():
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    program = programs / "aftershock"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{copy}/toolkit" exec "{sys.executable}" -m aftershock "$@"\n')
    program.chmod(0o755)
    (copy / ".venv" / ".ready").touch()
    return Shell(programs, environment()), copy


def test_the_readme_shows_a_way_with_make_and_one_with_pip() -> None:
    assert COMMANDS[0] == "make report"
    assert INSTALL in COMMANDS


def test_make_report_ends_with_the_counts_and_the_page_to_open(fresh_copy: tuple[Shell, Path]) -> None:
    shell, copy = fresh_copy
    output = shell.run("make report", copy)
    assert re.search(
        r"^[\d,]+ records read = [\d,]+ mapped \+ [\d,]+ set aside \+ [\d,]+ rejects?$", output, re.MULTILINE
    )
    shown = [line for line in SHOWN.splitlines() if line != "..."]
    assert [line for line in shown if timeless(line) not in timeless(output).splitlines()] == []
    page = re.findall(r"^open (\S+)$", output, re.MULTILINE)[-1]
    assert (copy / page).read_text(encoding="utf-8").lower().startswith("<!doctype html>")


@pytest.fixture(scope="module")
def shop(wheel_alone: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project folder that the README's commands make."""
    folder = tmp_path_factory.mktemp("readme")
    commands = COMMANDS[COMMANDS.index(INSTALL) + 1 :]
    assert commands[0].startswith("aftershock init --demo shop")
    wheel_alone.run("\n".join(commands), folder)
    return folder / "shop"


def test_the_commands_work_where_only_the_wheel_is_installed(wheel_alone: Shell, shop: Path) -> None:
    where = wheel_alone.run("python -c 'import aftershock; print(aftershock.__file__)'", shop)
    assert not Path(where.strip()).is_relative_to(ROOT)
    pages = {path.parent.parent.parent.name for path in (shop / "reports").glob("*/*/*/index.html")}
    assert pages == {"fleet", *(client.id for client in load(shop).clients)}


def test_the_python_code_runs(wheel_alone: Shell, shop: Path) -> None:
    quiet = "ignore:The 'future.infer_string' option is deprecated"  # Ibis 12 asks pandas 3 for it
    wheel_alone.run(f"python -W error -W \"{quiet}\" - <<'EOF'\n{CODE}\nEOF", shop.parent)


def test_the_crontab_line_has_five_fields_and_a_command_that_works(wheel_alone: Shell, shop: Path) -> None:
    (line,) = CRON
    fields, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]
    assert all(re.fullmatch(r"[\d*/,-]+", field) for field in fields)
    assert command.endswith("aftershock schedule run --once")
    wheel_alone.run(command.replace("~/shop", str(shop)), shop)
    assert {each.state for each in planned(load(shop), datetime.now(UTC))} == {"done"}
