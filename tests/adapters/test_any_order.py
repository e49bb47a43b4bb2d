"""What a tool wrote in several files is put together the same in whatever order they come."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from support import ingested, rows
from zoo import FAMILIES, samples_of

from aftershock.ledger.reader import Ledger
from aftershock.model import BY_NAME

LONG = bool(os.environ.get("AFTERSHOCK_LONG"))
FILES = 200 if LONG else 4
ORDERS = 3 if LONG else 1
TABLES = ("runs", "steps", "touches", "notices", "changes", "automations", "status_history")
NOT_COMPARED = ("import_id",)
RECORDS = "[[records]]\nentity = \"order\"\npattern = '(?:ORD|ACME|GLOBEX)-\\d+'\n"


def tables_of(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Every row of what is settled, sorted."""
    found = {}
    for table in TABLES:
        columns = ", ".join(f'"{name}"::VARCHAR' for name in BY_NAME[table].names if name not in NOT_COMPARED)
        found[table] = rows(ledger, f"select {columns} from {table} order by all")
    return found


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda folder: folder.name)
def test_any_order_of_the_samples_gives_the_same_ledger(folder: Path, tmp_path: Path) -> None:
    chance = random.Random(folder.name)  # noqa: S311  which samples, and in which order
    files = samples_of(folder)
    files = sorted(chance.sample(files, min(FILES, len(files))))
    if len(files) == 1:
        pytest.skip("there is one sample of it only")
    room = tmp_path / "samples"
    room.mkdir()
    copies = [Path(shutil.copy2(file, room / f"{number}-{file.name}")) for number, file in enumerate(files)]
    for copy in copies:  # one age for all: what a file does not date is as old as the file
        os.utime(copy, (1_795_000_000, 1_795_000_000))
    orders = [copies[::-1], *(chance.sample(copies, len(copies)) for _ in range(ORDERS - 1))]
    with ingested(tmp_path / "as they stand", copies, RECORDS) as ledger:
        expected = tables_of(ledger)
    for number, order in enumerate(orders):
        with ingested(tmp_path / str(number), order, RECORDS) as ledger:
            for table, found in tables_of(ledger).items():
                assert found == expected[table], f"{table} in the order {[file.name for file in order]}"
