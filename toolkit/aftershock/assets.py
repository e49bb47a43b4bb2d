"""The files that a new project folder is made of: notebooks, and for the demo a configuration with sample data.

The wheel carries them beside the code. In an editable checkout the repository itself is the folder that has them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from aftershock.errors import ProjectError

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


def _copy(source: Path, target: Path) -> None:
    """Contents only: files in a wheel are dated 2020, and the age of a log means something here."""
    shutil.copytree(source, target, ignore=_NOT_COPIED, copy_function=shutil.copyfile, dirs_exist_ok=True)
