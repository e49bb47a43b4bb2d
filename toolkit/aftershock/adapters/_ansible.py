"""A playbook as Ansible's callbacks tell of it, folded into one record: the same for JSON, JSON lines and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MOST_TEXT: Final = 20_000
INTERRUPTED: Final = "User interrupted execution"
_COUNTERS: Final = ("ok", "changed", "unreachable", "failures", "skipped", "rescued", "ignored")
_RESULTS: Final = ("ok", "unreachable", "failures", "skipped", "rescued")  # of these each result is in exactly one

Stats = Mapping[str, Mapping[str, int]]


@dataclass
class Result:
    """What became of a task on a host."""

    task: str
    host: str
    word: str
    kind: str | None = None
    started: str | None = None
    ended: str | None = None
    attempts: int = 1
    retried_at: list[str | None] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    message: str | None = None
    is_timeout: bool = False
    payload: str = ""

    @property
    def has_failed(self) -> bool:
        return self.word in ("failed", "unreachable")

    @property
    def error_type(self) -> str | None:
        if not self.has_failed:
            return None
        return "TimedOut" if self.is_timeout else "Unreachable" if self.word == "unreachable" else "Failed"

    def rows(self, key: str, map_index: int) -> Iterator[dict[str, Any]]:
        """A step for each attempt. Of those before the last it is only known that they did not do."""
        about = {"key": key, "map_index": map_index, "name": self.task, "kind": self.kind, "system": self.host}
        for number in range(1, min(self.attempts, 1000)):
            at = self.retried_at[number - 1] if number <= len(self.retried_at) else None
            yield {
                **about,
                "attempt": number,
                "word": "retried",
                "started": self.started if number == 1 else None,
                "ended": at,
            }
        yield {
            **about,
            "attempt": self.attempts,
            "word": "timed out" if self.is_timeout and self.has_failed else self.word,
            "started": self.started if self.attempts == 1 else None,
            "ended": self.ended,
            "items_in": len(self.items) or None,
            "items_out": sum(word in ("ok", "changed") for word in self.items) if self.items else None,
            "error_type": self.error_type,
            "error_message": self.message if self.has_failed else None,
            "payload": self.payload[:MOST_TEXT] or None,
        }  # fmt: skip


@dataclass
class Playbook:
    """One playbook of one `ansible-playbook` command, as far as it was told."""

    native_id: str = ""
    name: str | None = None
    plays: list[str] = field(default_factory=list)
    play_ids: list[str] = field(default_factory=list)
    started: str | None = None
    ended: str | None = None
    last: str | None = None
    results: list[Result] = field(default_factory=list)
    stats: Stats | None = None
    before: Stats = field(default_factory=dict)  # of the playbooks before it in the same command: sums go on
    is_same_process: bool = True
    is_interrupted: bool = False
    is_check: bool = False
    error: str | None = None
    custom: Any = None

    def own_stats(self) -> Stats | None:
        """The counts of this playbook alone: those of the playbooks before it in one command are in them too."""
        if self.stats is None or not self.before:
            return self.stats
        told, earlier, seen = _total(self.stats), _total(self.before), len(self.results)
        goes_on = told - earlier == seen if (told == seen) != (told - earlier == seen) else self.is_same_process
        if not goes_on:
            return self.stats
        return {
            host: {name: max(counts.get(name, 0) - self.before.get(host, {}).get(name, 0), 0) for name in _COUNTERS}
            for host, counts in self.stats.items()
        }

    def record(self) -> dict[str, Any]:
        """The run and its steps, in the columns of the exports."""
        stats = self.own_stats()
        word, cause = self._verdict(stats)
        counted: dict[str, int] = {}
        steps: list[dict[str, Any]] = []
        for result in self.results:
            key = f"{result.task}@{result.host}"
            steps += result.rows(key, counted.get(key, 0))
            counted[key] = counted.get(key, 0) + 1
        message = cause.message if cause else None
        return {
            "native_id": self.native_id,
            "playbook": self.name or (self.plays[0] if self.plays else None),
            "plays": self.plays,
            "word": word,
            "role": "test" if self.is_check else "work",
            "started": self.started,
            "ended": self.ended if word not in ("no stats",) else None,
            "last": self.last or self.ended or self.started,
            "error_type": cause.error_type
            if cause
            else "Interrupted"
            if self.is_interrupted
            else "Error"
            if self.error
            else None,
            "error_message": self.error or message,
            "payload": {"plays": self.plays, "custom_stats": self.custom},
            "steps": steps,
        }

    def _verdict(self, stats: Stats | None) -> tuple[str, Result | None]:
        """How it ended, as the exit code would say it, and the result that decided."""
        if self.is_interrupted:
            return "interrupted", None
        if stats is None:
            return ("error", None) if self.error and not self.results else ("no stats", None)
        for word, counter, of_result in (
            ("unreachable", "unreachable", "unreachable"),
            ("failures", "failures", "failed"),
        ):
            hosts = [host for host, counts in stats.items() if counts.get(counter, 0)]
            if hosts:
                bad = [one for one in self.results if one.word == of_result and one.host in hosts]
                # the last one on its host: an error before it was ignored or rescued, else there were no more of them
                last = {one.host: one for one in bad}
                return word, next(iter(last.values()), None)
        return ("ok" if stats or self.results else "no hosts matched"), None


def _total(stats: Stats) -> int:
    return sum(counts.get(name, 0) for counts in stats.values() for name in _RESULTS)


def base_name(path: object) -> str | None:
    """`nightly.yml` of `/srv/jobs/nightly.yml:12`: folders differ from machine to machine."""
    if not path or not isinstance(path, str):
        return None
    name = path.replace("\\", "/").rpartition("/")[2]
    head, _, line = name.rpartition(":")
    return (head if head and line.isdigit() else name) or None
