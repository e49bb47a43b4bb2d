"""Published snapshots: immutable copies of the store, and the file `CURRENT` that names the newest.

A snapshot's path is never used twice: one process that opened the old file would go on reading it under the new name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aftershock.errors import NoSnapshotError

KEEP = 3
_TRIES = 20
_FILE = re.compile(r"ledger-(\d+)\.duckdb")
_PIN = re.compile(r"ledger-(\d+)\.pin-(\d+)-[0-9a-f]+")


@dataclass(frozen=True)
class Snapshot:
    """One published state of the ledger. `number` grows with every write; `published_at` is in UTC."""

    number: int
    path: Path
    published_at: datetime


class Snapshots:
    """The folder `published/` of one ledger."""

    def __init__(self, ledger_folder: Path) -> None:
        self.folder = ledger_folder / "published"
        self._current = self.folder / "CURRENT"

    def kept(self) -> list[int]:
        """Numbers of the snapshots on disk, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(found[1]) for file in self.folder.iterdir() if (found := _FILE.fullmatch(file.name)))

    def current_number(self) -> int | None:
        """The number that `CURRENT` names, or the newest on disk where it cannot be read; None before the first publication."""
        try:
            return int(json.loads(self._current.read_text(encoding="utf-8"))["snapshot"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):  # cut short by a power failure
            return max(self.kept(), default=None)

    def find(self, number: int | None = None) -> Snapshot:
        """The snapshot of that number, by default the newest. Raises `NoSnapshotError`."""
        for _ in range(_TRIES):
            wanted = self.current_number() if number is None else number
            if wanted is None:
                break
            path = self.folder / f"ledger-{wanted}.duckdb"
            with suppress(FileNotFoundError):  # dropped since CURRENT was read: there is a newer one
                return Snapshot(wanted, path, datetime.fromtimestamp(path.stat().st_mtime, UTC))
        raise NoSnapshotError(self.folder, number, self.kept())

    def newest_number(self) -> int:
        """The highest number ever used, as far as this folder knows; 0 if none."""
        return max(*self.kept(), self.current_number() or 0, 0)

    def publish(self, store: Path, number: int) -> Snapshot:
        """Copy the (checkpointed, unwritten) store, then switch `CURRENT` to the copy and drop old ones."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"ledger-{number}.duckdb"
        fresh = self.folder / f".ledger-{number}-{uuid.uuid4().hex}.part"
        try:
            _copy(store, fresh)
            with fresh.open("rb") as handle:
                os.fsync(handle.fileno())
            fresh.replace(path)
            self._switch(number)
        finally:
            fresh.unlink(missing_ok=True)
        self.drop_old()
        return self.find(number)

    def drop_old(self) -> None:
        """Remove all but the last `KEEP` snapshots, those that a living process has pinned, and the current one."""
        pinned = {number for pin, number, pid in self._pins() if _alive(pid) or _drop(pin)}
        kept = self.kept()
        for number in set(kept[:-KEEP]) - pinned - {self.current_number()}:
            (self.folder / f"ledger-{number}.duckdb").unlink(missing_ok=True)
        for part in self.folder.glob(".*-*"):  # left by a writer that was killed; we hold the write lock
            part.unlink(missing_ok=True)

    @contextmanager
    def pin(self, number: int) -> Iterator[None]:
        """Keep one snapshot on disk while the block runs. Raises `NoSnapshotError` if it is gone already."""
        pin = self.folder / f"ledger-{number}.pin-{os.getpid()}-{uuid.uuid4().hex}"
        pin.touch()
        try:
            self.find(number)
            yield
        finally:
            pin.unlink(missing_ok=True)

    def _switch(self, number: int) -> None:
        fresh = self.folder / f".CURRENT-{uuid.uuid4().hex}"
        try:
            with fresh.open("w", encoding="utf-8") as handle:
                handle.write(json.dumps({"snapshot": number}))
                handle.flush()
                os.fsync(handle.fileno())
            fresh.replace(self._current)
        finally:
            fresh.unlink(missing_ok=True)

    def _pins(self) -> list[tuple[Path, int, int]]:
        return [(file, int(m[1]), int(m[2])) for file in self.folder.iterdir() if (m := _PIN.fullmatch(file.name))]


def _copy(source: Path, target: Path) -> None:
    """The bytes of a file: by reference where the file system can (the kernel decides), else read and written."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as read, target.open("wb") as write:
        left = os.fstat(read.fileno()).st_size
        while left and (done := os.copy_file_range(read.fileno(), write.fileno(), left)):
            left -= done
    if left:
        shutil.copyfile(source, target)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _drop(pin: Path) -> bool:
    """Remove the pin of a process that is gone; always False."""
    pin.unlink(missing_ok=True)
    return False
