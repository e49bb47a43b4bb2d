"""How well and how fast templates are mined: grouping accuracy (GA), F1 of grouping (FGA) and lines per second, beside drain3.

    python benchmarks/fingerprints.py FOLDER      LogHub-2k: a folder with the *_2k.log_structured.csv of any of the sixteen sets
    python benchmarks/fingerprints.py             made-up messages in the manner of the sixteen systems (no LogHub score)
    python benchmarks/fingerprints.py --speed     a million lines: drawn with repetition, and all distinct

Nothing is set per set, neither ours nor drain3 (its defaults, as a library user gets them). Our masks and numbers were chosen with
excerpts and template lists of LogHub in view: its score is not blind. drain3 runs where it is installed: in
this interpreter, or in the one that `--drain3 PYTHON` names.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from made_logs import STYLES, made_log

from aftershock.metrics import grouping_accuracy, mine_templates

MILLION = 1_000_000
DRAIN3 = """
import json, sys, time
from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig
lines = json.load(sys.stdin)
miner = TemplateMiner(config=TemplateMinerConfig())
began = time.perf_counter()
labels = [miner.add_log_message(line)["cluster_id"] for line in lines]
json.dump([labels, time.perf_counter() - began], sys.stdout)
"""


def main() -> None:
    """Print a row per set and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--drain3", default=sys.executable, metavar="PYTHON", help="an interpreter that has drain3")
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    mine_templates(["warm up"])
    if given.speed:
        return speed(given.drain3)
    sets = labelled(given.folder) if given.folder else {style: made_log(style) for style in STYLES}
    if not sets:
        sys.exit(f"{given.folder}: no *_2k.log_structured.csv in it or below")
    print("LogHub-2k" if given.folder else "made-up messages: no LogHub score")
    print(
        f"{'set':<14}{'GA':>8}{'FGA':>8}{'pair F1':>9}{'lines/s':>10}   {'drain3 GA':>10}{'FGA':>8}{'pair F1':>9}{'lines/s':>10}"
    )
    rows = [[*ours(*pair), *drain3(*pair, given.drain3)] for pair in sets.values()]
    for name, row in zip(sets, rows, strict=True):
        show(name, row)
    show("mean", [sum(column) / len(rows) for column in zip(*rows, strict=True)])
    return None


def show(name: str, row: list[float]) -> None:
    """One line of the table; what is not known is left out."""
    print(
        f"{name:<14}"
        + "".join(f"{value:>{width}.{digits}f}" for value, width, digits in zip(row, *_FORMAT, strict=False))
    )


_FORMAT = ((8, 8, 9, 10, 13, 8, 9, 10), (4, 4, 4, 0, 4, 4, 4, 0))


def ours(messages: list[str], truth: list[str] | list[int]) -> list[float]:
    """GA, FGA, pair F1, lines per second."""
    began = time.perf_counter()
    labels = mine_templates(messages).labels
    return scores(labels.tolist(), truth, len(messages) / (time.perf_counter() - began))


def drain3(messages: list[str], truth: list[str] | list[int], python: str) -> list[float]:
    """The same of drain3; empty where it is not installed."""
    told = subprocess.run(
        [python, "-c", DRAIN3], input=json.dumps(messages), capture_output=True, text=True, check=False
    )
    if told.returncode:
        return []
    labels, seconds = json.loads(told.stdout)
    return scores(labels, truth, len(messages) / seconds)


def scores(found: list[int], truth: list[str] | list[int], speed: float) -> list[float]:
    """What is shown of a grouping."""
    score = grouping_accuracy(found, truth)
    return [score.ga or 0.0, score.fga or 0.0, score.pair_f1 or 0.0, speed]


def labelled(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """The sets in a folder: name -> (messages, the labels of their templates)."""
    sets = {}
    for file in sorted(folder.rglob("*_2k.log_structured.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        sets[file.name.removesuffix("_2k.log_structured.csv")] = (
            [row["Content"] for row in rows],
            [row["EventId"] for row in rows],
        )
    return sets


def speed(python: str) -> None:
    """Lines per second on a million lines."""
    chance = random.Random(1)
    pool = [line for style in STYLES for line in made_log(style)[0]]
    repeated = chance.choices(pool, k=MILLION)
    each = MILLION // len(STYLES)
    distinct = [f"{line} no {k}" for style in STYLES for k, line in enumerate(made_log(style, each, seed=1)[0])]
    for name, lines in (("drawn with repetition", repeated), ("all distinct", distinct)):
        began, worked = time.perf_counter(), time.process_time()
        found = mine_templates(lines)
        took, work = time.perf_counter() - began, time.process_time() - worked
        print(
            f"{name}: {len(lines):,} lines, {len(set(lines)):,} distinct, {len(found.templates)} templates: "
            f"{len(lines) / took:,.0f} lines/s, {len(lines) / work:,.0f} per CPU second"
        )
    part = repeated[: MILLION // 20]
    row = drain3(part, [0] * len(part), python)
    print(
        f"drain3 on {len(part):,} of the repeated lines: {row[-1]:,.0f} lines/s" if row else "drain3 is not installed"
    )


if __name__ == "__main__":
    main()
