"""What a commit of this repository would hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support import ROOT

__all__ = ["ROOT", "texts", "tracked_files"]


def tracked_files() -> list[Path]:
    """Every file that is tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [file for name in answer.stdout.decode().split("\0") if name and (file := ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    """Those of them that are text, but for the tests of this folder, which name what must not be there."""
    contents = ((file, file.read_bytes()) for file in tracked_files() if file.parent != Path(__file__).resolve().parent)
    return [(file, content.decode("utf-8", errors="replace")) for file, content in contents if b"\0" not in content]
