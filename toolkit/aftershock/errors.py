"""What can go wrong, as types. Each carries its facts as attributes and writes its own sentence.

Every error is an `AftershockError`; each also inherits the builtin that a caller would catch anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path


class AftershockError(Exception):
    """The base of all errors that this package raises on purpose."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """` Did you mean 'x'?` where one of the known words is close, else an empty string."""
    close = get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class NoProjectError(AftershockError, FileNotFoundError):
    """No `aftershock.toml` at or above a folder."""

    def __init__(self, start: Path) -> None:
        self.start = start
        super().__init__(
            f"{start}: no aftershock.toml here or in any folder above. "
            f"Make a project with `aftershock init DIR`, or name one with --project DIR."
        )


class ProjectError(AftershockError, ValueError):
    """A value in `aftershock.toml` that cannot be used."""

    def __init__(self, file: Path, key: str, seen: object, remedy: str) -> None:
        self.file, self.key, self.seen, self.remedy = file, key, seen, remedy
        super().__init__(f"{file.name}: {key}: {seen!r}: {remedy}")


class LedgerBusyError(AftershockError, TimeoutError):
    """Another process holds the ledger's write lock."""

    def __init__(self, lock: Path, waited_s: float, holder: str) -> None:
        self.lock, self.waited_s, self.holder = lock, waited_s, holder
        super().__init__(
            f"{lock}: another process is writing the ledger ({holder}); waited {waited_s:.0f} s. Try again when it is done."
        )


class LedgerFullError(AftershockError, OSError):
    """The disk under the ledger is full; nothing of the file at hand was kept."""

    def __init__(self, folder: Path, cause: str) -> None:
        self.folder, self.cause = folder, cause
        super().__init__(
            f"{folder}: no room left to write the ledger ({cause}). Nothing of the file at hand was kept, "
            f"the last snapshot still serves. Free some space and run the same command again."
        )


class NoSnapshotError(AftershockError, FileNotFoundError):
    """Nothing has been published yet, or the snapshot asked for is gone."""

    def __init__(self, folder: Path, wanted: int | None, kept: Sequence[int]) -> None:
        self.folder, self.wanted, self.kept = folder, wanted, tuple(kept)
        if wanted is None:
            text = f"{folder}: the ledger is empty. Take in some run logs first: `aftershock ingest PATH`."
        else:
            have = ", ".join(map(str, kept)) or "none"
            text = f"{folder}: snapshot {wanted} is not kept; there are: {have}."
        super().__init__(text)


class NewerLedgerError(AftershockError, ValueError):
    """The ledger was written by a newer version of this package."""

    def __init__(self, file: Path, found: int, known: int) -> None:
        self.file, self.found, self.known = file, found, known
        super().__init__(
            f"{file}: written by a newer aftershock (schema {found}, this one knows {known}). Upgrade aftershock."
        )


class AdapterError(AftershockError, ValueError):
    """An adapter that breaks its contract: the fault is in the adapter, not in the log."""

    def __init__(self, adapter: str, part: str, problem: str) -> None:
        self.adapter, self.part, self.problem = adapter, part, problem
        super().__init__(f"adapter {adapter}: {part}: {problem}")


class UnreadableFileError(AftershockError, ValueError):
    """A file whose bytes cannot be read as what they claim to be."""

    def __init__(self, path: str, seen: str, remedy: str) -> None:
        self.path, self.seen, self.remedy = path, seen, remedy
        super().__init__(f"{path}: {seen}. {remedy}")


class UnknownColumnError(AftershockError, KeyError):
    """A column that a table does not have."""

    def __init__(self, column: str, known: Sequence[str]) -> None:
        self.column, self.known = column, tuple(known)
        super().__init__(f"no column {column!r}.{did_you_mean(column, known)} There are: {', '.join(known)}.")

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownNameError(AftershockError, LookupError):
    """A client, report, source or other configured name that does not exist."""

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        have = ", ".join(known) or "none"
        super().__init__(f"no {kind} {name!r}.{did_you_mean(name, known)} There is: {have}.")


class PeriodError(AftershockError, ValueError):
    """A period that cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text!r} names no period. Write 2026-W47, 2026-11, 2026-11-18 or 2026-11-01..2026-11-15.")


class ReportFailedError(AftershockError, RuntimeError):
    """A notebook that did not run to its end, whatever its exit code said."""

    def __init__(self, report: str, notebook: Path, cell: int | None, reason: str) -> None:
        self.report, self.notebook, self.cell, self.reason = report, notebook, cell, reason
        where = f" in cell {cell}" if cell is not None else ""
        super().__init__(f"report {report}: failed{where}: {reason}. The notebook as far as it came: {notebook}")


class LeakError(AftershockError, RuntimeError):
    """A finished page that names something belonging only to other clients. It is never delivered."""

    def __init__(self, page: Path, client: str, found: Sequence[str]) -> None:
        self.page, self.client, self.found = page, client, tuple(found)
        shown = ", ".join(repr(word) for word in found[:5])
        super().__init__(
            f"{page}: made for {client}, but it holds {len(found)} thing(s) of other clients only: {shown}. Not delivered."
        )
