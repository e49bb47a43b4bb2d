"""What people hand in: folders, globs, files, gzip and zip. Out come plain local files whose beginning has been looked at.

Log files are hostile input. Archives are bounded by what they unpack to; names inside them are shown, never used as paths.
"""

from __future__ import annotations

import codecs
import csv
import errno
import gzip
import hashlib
import io
import os
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from aftershock.adapters.base import Sample
from aftershock.errors import UnreadableFileError
from aftershock.ingest.peek import json_start, json_values

PEEK_BYTES: Final = 65536
MAX_UNPACKED: Final = 16 * 1024**3
MAX_RATIO: Final = 400
_RATIO_FROM: Final = 64 * 1024**2  # below this much, a high ratio is just a repetitive log
_MAX_NESTING: Final = 3
_BROKEN: Final = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
_ENCODINGS: Final = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
                     (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """A plain file, ready to be read: `path` is private to us, `name` is what the user knows it by."""

    name: str
    path: Path
    sha256: str
    size: int
    modified_at: datetime
    samples: tuple[Sample, ...]


def expand(paths: Sequence[Path]) -> list[Path]:
    """The files that paths name, in a stable order: folders are walked (hidden ones left out), globs expanded.

    Raises `FileNotFoundError` naming a path that leads to nothing.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            files = [file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts)]
        elif path.exists():
            files = [path]
        else:
            files = [file for file in sorted(_glob(path)) if file.is_file()]
            if not files:
                raise FileNotFoundError(f"{path}: no such file or folder, and no file matches it as a pattern")
        found.update(dict.fromkeys(files))
    return [file for file in found if not _is_companion(file)]


def _glob(pattern: Path) -> Iterator[Path]:
    parts = pattern.parts
    fixed = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts))
    if fixed == len(parts):
        return iter(())
    return Path(*parts[:fixed]).glob(str(Path(*parts[fixed:])))


def _is_companion(file: Path) -> bool:
    """`x.sqlite-wal` and `-shm` belong to `x.sqlite` and are read with it."""
    return file.name.endswith(("-wal", "-shm", "-journal")) and file.with_name(file.name.rpartition("-")[0]).exists()


@contextmanager
def opened(file: Path, name: str | None = None) -> Iterator[Iterator[Opened | UnreadableFileError]]:
    """The plain files inside one file (one, or an archive's members), in a private folder that lasts as long as the block."""
    with tempfile.TemporaryDirectory(prefix="aftershock-") as folder:
        yield _unpack(file, name or str(file), Path(folder), datetime.fromtimestamp(file.stat().st_mtime, UTC), depth=0)


def _unpack(
    file: Path, name: str, folder: Path, modified: datetime, depth: int
) -> Iterator[Opened | UnreadableFileError]:
    try:
        with file.open("rb") as handle:
            magic = handle.read(16)
        if magic[:2] == b"\x1f\x8b" and depth < _MAX_NESTING:
            inner = _private(folder)
            with gzip.open(file) as packed:
                _copy_bounded(packed, inner, name, file.stat().st_size)
            yield from _unpack(inner, name, folder, modified, depth + 1)
        elif magic[:4] == b"PK\x03\x04" and depth < _MAX_NESTING:
            yield from _unzip(file, name, folder, modified, depth)
        else:
            yield _look(file, name, folder, modified)
    except UnreadableFileError as error:
        yield error
    except _BROKEN as error:
        yield _broken(name, error)


def _broken(name: str, error: Exception) -> UnreadableFileError:
    """What is wrong with this file; a full disk is no fault of it and goes on as it is."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise error
    return UnreadableFileError(name, f"cannot be unpacked or read: {error}", "Fetch it again; it may be cut off.")


def _unzip(
    file: Path, name: str, folder: Path, modified: datetime, depth: int
) -> Iterator[Opened | UnreadableFileError]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.is_dir() or Path(member.filename).name.startswith("."):
                continue
            inner = _private(folder)  # never at the member's own name: it may point outside
            inside = f"{name}!{member.filename}"
            try:
                with archive.open(member) as packed:
                    _copy_bounded(packed, inner, inside, max(member.compress_size, 1))
            except UnreadableFileError as error:
                yield error
                continue
            except _BROKEN as error:
                yield _broken(inside, error)
                continue
            yield from _unpack(inner, inside, folder, _dated(member, modified), depth + 1)
            inner.unlink(missing_ok=True)


def _dated(member: zipfile.ZipInfo, otherwise: datetime) -> datetime:
    """When a member was last changed; its date is raw bits and may name no day, then the archive's own."""
    try:
        return datetime(*member.date_time, tzinfo=UTC) if member.date_time[0] > 1980 else otherwise
    except ValueError:
        return otherwise


def _private(folder: Path) -> Path:
    handle, path = tempfile.mkstemp(dir=folder)
    os.close(handle)
    return Path(path)


def _copy_bounded(packed: IO[bytes] | gzip.GzipFile, target: Path, name: str, packed_size: int) -> None:
    """Unpack, but not a bomb."""
    written = 0
    with target.open("wb") as out:
        while chunk := packed.read(1 << 20):
            written += len(chunk)
            if written > MAX_UNPACKED or (written > _RATIO_FROM and written > MAX_RATIO * packed_size):
                raise UnreadableFileError(
                    name,
                    f"unpacks to more than {MAX_RATIO} times its size: refused as an archive bomb",
                    "Unpack it by hand if you trust it.",
                )
            out.write(chunk)


def _look(file: Path, name: str, folder: Path, modified: datetime) -> Opened:
    """Hash it, make its text plain UTF-8, and take samples of its beginning."""
    size = file.stat().st_size
    if size == 0:
        raise UnreadableFileError(name, "is empty", "Nothing to take in; look whether the export ran.")
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    try:
        plain, samples = _samples(file, folder)
    except UnreadableFileError as error:  # of the private copy: the user knows it by another name
        raise UnreadableFileError(name, error.seen, error.remedy) from None
    return Opened(name, plain, digest, size, modified, samples)


def _samples(file: Path, folder: Path) -> tuple[Path, tuple[Sample, ...]]:
    head = _head(file)
    if head.startswith(b"SQLite format 3\x00"):
        copy = _database_copy(file, folder)
        return copy, (Sample("sqlite", header=_tables(copy), path=copy),)
    if head.startswith(b"PAR1"):
        return file, (Sample("parquet", header=_parquet_columns(file), path=file),)
    if b"\x00" in head[:1024] and not head.startswith(tuple(bom for bom, _ in _ENCODINGS)) and not head.strip(b"\x00"):
        raise UnreadableFileError(str(file.name), "holds nothing but zero bytes", "Fetch it again.")
    file = _as_utf8(file, head, folder)
    raw = _head(file).decode("utf-8", errors="surrogateescape")  # keeps the length of what is no UTF-8
    text = raw.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
    begin = text.lstrip()
    if re.match(r"<(?!\d)", begin):  # `<78>1 …` begins a line of syslog
        root = re.search(r"<([A-Za-z_][\w:.-]*)[\s/>]", re.sub(r"<[?!].*?>", "", begin, flags=re.S))
        return file, (Sample("xml", text=text, root=root[1] if root else "", path=file),)
    start = json_start(raw)
    if start is not None:
        whole = Sample("text", text=text, path=file)
        if raw[:start].strip():
            file = _from(file, len(raw[:start].encode("utf-8", errors="surrogateescape")), folder)
        text = raw[start:].encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
        values = json_values(text)
        top = values[0] if len(values) == 1 else values
        return file, (Sample("json", text=text, top=top, path=file), whole)
    if re.search("[\udc80-\udcff]", raw[:-4]):  # no UTF-8, no JSON and no XML: what spreadsheets and old scripts write
        file = _rewritten(file, "cp1252", folder)
        text = raw.encode("utf-8", errors="surrogateescape").decode("cp1252", errors="replace")
    return file, (*_csv_samples(text, file), Sample("text", text=text, path=file))


def _head(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(PEEK_BYTES)


def _as_utf8(file: Path, head: bytes, folder: Path) -> Path:
    """The file itself if it is plain, else a copy without byte order mark and in UTF-8."""
    encoding = next((name for bom, name in _ENCODINGS if head.startswith(bom)), None)
    if encoding is None and len(head) > 3 and head[1:2] == b"\x00" and head[3:4] == b"\x00" and head[:1] in b"{[<":
        encoding = "utf-16-le"
    if encoding is None:
        return file
    return _rewritten(file, encoding, folder)


def _rewritten(file: Path, encoding: str, folder: Path) -> Path:
    """A private copy in UTF-8."""
    copy = _private(folder)
    with (
        file.open(encoding=encoding, errors="replace", newline="") as source,
        copy.open("w", encoding="utf-8", newline="") as out,
    ):
        out.write(
            re.sub(r"""(<\?xml[^>]*?)\s+encoding=["'][^"']*["']""", r"\1", source.read(1024), count=1)
        )  # it no longer is
        shutil.copyfileobj(source, out, 1 << 20)
    return copy


def _from(file: Path, offset: int, folder: Path) -> Path:
    copy = _private(folder)
    with file.open("rb") as source, copy.open("wb") as out:
        source.seek(offset)
        shutil.copyfileobj(source, out, 1 << 20)
    return copy


def _csv_samples(text: str, file: Path) -> Iterator[Sample]:
    """The header under each delimiter that gives more than one column."""
    lines = text.split("\n", 1)[0]
    for delimiter in (",", ";", "\t", "|"):
        if delimiter in lines:
            try:
                header = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
            except csv.Error:  # lone carriage returns, fields without end: no table
                return
            yield Sample("csv", text=delimiter, header=tuple(name.strip() for name in header), path=file)


def _database_copy(file: Path, folder: Path) -> Path:
    """Opening a database in WAL mode litters its folder and may change it: read a copy, its log beside it."""
    copy = _private(folder)
    shutil.copyfile(file, copy)
    log = file.with_name(file.name + "-wal")
    if log.is_file():
        shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
    return copy


def _tables(database: Path) -> tuple[str, ...]:
    connection = sqlite3.connect(database)
    try:
        return tuple(
            row[0]
            for row in connection.execute(
                "select name from sqlite_master where type in ('table', 'view') order by name"
            )
        )
    except sqlite3.DatabaseError as error:
        raise UnreadableFileError(
            database.name, f"a damaged SQLite database: {error}", "Copy it again while its tool is stopped."
        ) from None
    finally:
        connection.close()


def _parquet_columns(file: Path) -> tuple[str, ...]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            return tuple(
                connection.sql(f"from read_parquet('{str(file).replace(chr(39), chr(39) * 2)}') limit 0").columns
            )
    except duckdb.Error as error:
        raise UnreadableFileError(
            file.name, f"a damaged Parquet file: {error}".splitlines()[0], "Write it again."
        ) from None
