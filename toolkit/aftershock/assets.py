"""The files that a new project folder is made of: notebooks, mapping profiles, and for the demo a configuration with sample data.

The wheel carries them beside the code. In an editable checkout the repository itself is the folder that has them; profiles are
part of the package in both.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from aftershock.errors import ProjectError, UnknownNameError

_PACKAGE: Final = Path(__file__).parent
_NOT_COPIED: Final = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")


def origin() -> Path:
    """The folder that holds `notebooks/`, `data/sample/` and the demo's `aftershock.toml`."""
    carried = _PACKAGE / "_project"
    return carried if carried.is_dir() else _PACKAGE.parents[1]


def make_project(folder: Path, *, demo: bool) -> list[Path]:
    """Make `folder` a project: configuration and notebooks, and with `demo` the sample data. What was made, in order.

    Raises: `ProjectError` if the folder is a project already.
    """
    toml = folder / "aftershock.toml"
    if toml.exists():
        raise ProjectError(
            toml, str(folder), "aftershock.toml", "is there already; name a new folder, or remove that file first"
        )
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / "notebooks"]
    _copy(origin() / "notebooks", made[0])
    if demo:
        made.append(folder / "data" / "sample")
        _copy(origin() / "data" / "sample", made[-1])
    for name in ("data/landing", "reports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin() / "aftershock.toml" if demo else _PACKAGE / "new_project.toml", toml)
    return [toml, *made]


def profiles() -> Mapping[str, Path]:
    """The mapping profiles that ship, by name."""
    return {file.stem: file for file in sorted((_PACKAGE / "profiles").glob("*.toml"))}


def about_profile(file: Path) -> str:
    """What a profile is for, and what it was made from: the comment it begins with."""
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return " ".join(line.removeprefix("#").strip() for line in lines[:end])


def check_profiles(names: Sequence[str]) -> None:
    """Raises: `UnknownNameError` for a name that no profile has."""
    there_are = profiles()
    for name in names:
        if name not in there_are:
            raise UnknownNameError("mapping", name, list(there_are))


def add_profiles(folder: Path, names: Sequence[str]) -> list[str]:
    """Append these profiles to the project's configuration, and name those that were not there yet.

    Raises: `UnknownNameError` for a name that no profile has, before anything is written; `ProjectError` for a configuration that is no TOML.
    """
    check_profiles(names)
    toml = folder / "aftershock.toml"
    text = toml.read_text(encoding="utf-8")
    try:
        have = tomllib.loads(text).get("mappings", {})
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(toml, "the whole file", str(error), "no valid TOML; mend that place") from None
    added = [name for name in dict.fromkeys(names) if name not in have]
    if added:
        parts = [text.rstrip(), *(profiles()[name].read_text(encoding="utf-8").rstrip() for name in added)]
        toml.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return added


def _copy(source: Path, target: Path) -> None:
    """Contents only: files in a wheel are dated 2020, and the age of a log means something here."""
    shutil.copytree(source, target, ignore=_NOT_COPIED, copy_function=shutil.copyfile, dirs_exist_ok=True)
