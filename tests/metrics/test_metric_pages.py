"""Every public metric keeps its contract, and has a page whose worked example is true."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from support import ROOT

import aftershock
from aftershock import metrics

PAGES = ROOT / "docs" / "metrics"
SECTIONS = ["Definition", "Formula", "Worked example", "When it misleads", "Source"]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: value for name in metrics.__all__ if inspect.isfunction(value := getattr(metrics, name))
}
RESULTS = {name: str(inspect.signature(function).return_annotation) for name, function in FUNCTIONS.items()}


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def test_no_name_is_offered_twice() -> None:
    assert sorted(set(metrics.__all__)) == sorted(metrics.__all__)


@pytest.mark.parametrize("name", metrics.__all__)
def test_a_public_name_is_importable_from_aftershock(name: str) -> None:
    assert getattr(aftershock, name) is getattr(metrics, name)


def test_each_page_is_of_a_public_metric() -> None:
    assert sorted(file.stem for file in PAGES.glob("*.md")) == sorted(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_metric_has_a_page_with_every_section(name: str) -> None:
    assert re.findall(r"^## (.+)$", page(name), re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_page_shows_how_its_metric_is_imported(name: str) -> None:
    assert re.search(rf"^from aftershock\.metrics import .*\b{name}\b", page(name), re.MULTILINE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_worked_example_of_a_page_is_true(name: str) -> None:
    text = page(name)
    examples = doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, name, f"docs/metrics/{name}.md", 0)
    assert any(f"{name}(" in example.source for example in examples.examples), "the example does not call its metric"
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(examples, out=told.append)
    assert told == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_metric_has_a_docstring_with_its_source(name: str) -> None:
    assert "Source:" in (FUNCTIONS[name].__doc__ or "") or name in NEED_NO_SOURCE


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_result_of_a_metric_carries_n_left_out_and_interval(name: str) -> None:
    if name in PLAIN:
        return
    result = getattr(metrics, RESULTS[name])
    told = set(dir(result)) | set(getattr(result, "__dataclass_fields__", {}))
    assert {"n", "left_out", "interval", "to_pandas"} - told == set()
    assert result.__dataclass_params__.frozen


PLAIN = {
    "changes_inside",  # pairs of changes
    "coverage",  # time, not runs
    "covered_days",
    "current_mtbf_factors",  # two factors of a table
    "cusum_run_length",
    "mad",
    "mask",  # a text
    "newest_whole",  # a period
    "quantile",
    "rule_of_three",  # a bound to say aloud
    "zero_failure_bound",
}
"""Functions whose answer is no estimate from a sample: a number by definition, a text, a period."""

NEED_NO_SOURCE = {
    "changes_inside",
    "coverage",
    "covered_days",
    "crow_projection_of_modes",
    "daily_counts",
    "failure_rate",
    "mask",
    "newest_whole",
    "parallel",
    "rule_of_three",
    "silent_failures",
    "with_fallback",
    "with_retry",
}
"""What is counted is said by this project, or it is the arithmetic of the function beside it."""
