"""Table metrics that have no rival, in the form of one: which columns must be the same on Spark as on DuckDB."""

# fmt: off

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
from fleet import Rival

from aftershock import metrics
from aftershock.metrics.periods import Period

PERIOD = Period.parse("2026-06-05..2026-08-20", "Europe/Berlin")


def _events(runs: ir.Table) -> ir.Table:
    return runs.select("run_id", case="root_run_id", activity="status", at="started_at")


def _baskets(runs: ir.Table) -> ir.Table:
    failed = runs.filter(runs.status != "succeeded")
    items = [
        failed.select(basket="root_run_id", item=ibis.literal(f"{name} ") + failed[name].fill_null("none"))
        for name in ("error_type", "tool", "version")
    ]
    return ibis.union(*items, distinct=True)


def _coverage(runs: ir.Table) -> ir.Table:
    """What each source's log claims: two stretches with a gap of two weeks between them, one of them filtered for make."""
    claims = runs.group_by("source").aggregate(first=runs.started_at.min(), last=runs.started_at.max())
    early = claims.select(
        "source", automation=ibis.null("string"), covers_from="first", covers_to=claims["first"] + ibis.interval(days=30),
        completeness=(claims.source == "make").ifelse("filtered", "complete"),
    )
    late = claims.select(
        "source", automation=ibis.null("string"), covers_from=claims["first"] + ibis.interval(days=44), covers_to="last",
        completeness=ibis.literal("unknown"),
    )
    return ibis.union(early, late)


def _metric(name: str, ours: Callable[[Any], pd.DataFrame], keys: tuple[str, ...], *numbers: str) -> Rival:
    return Rival(name, ours, "", lambda frame: frame, keys, numbers)


MORE: tuple[Rival, ...] = (
    _metric(
        "association_rules",
        lambda runs: metrics.association_rules(_baskets(runs)).to_pandas(),
        ("antecedent", "consequent"), "n_both", "support", "confidence", "lift", "leverage", "p_value", "q_value",
    ),
    _metric(
        "chain_reliability",
        lambda runs: metrics.chain_reliability(runs, ["automation 1", "automation 2"], link="trigger").to_pandas(),
        ("part",), "n", "failures", "reliability", "low", "high",
    ),
    _metric(
        "co_failure",
        lambda runs: metrics.co_failure(runs, min_both=1, permutations=99).to_pandas(),
        ("a", "b", "verdict"), "n", "both", "phi", "jaccard", "lift", "p_fisher", "q_fisher", "p_shift", "q_shift",
    ),
    _metric(
        "coverage",
        lambda runs: metrics.coverage(_coverage(runs), PERIOD).to_pandas(),
        ("source",), "covered_s", "complete_s", "filtered", "period_s", "share",
    ),
    _metric(
        "covered_days", lambda runs: metrics.covered_days(_coverage(runs), PERIOD).execute(), ("source", "day"), "share"
    ),
    _metric(
        "daily_counts of roots by source, with coverage",
        lambda runs: metrics.daily_counts(
            runs, PERIOD, by=("source",), unit="root", coverage=_coverage(runs)
        ).to_pandas(),
        ("source", "day"), "n", "failures", "left_out", "unfinished", "covered",
    ),
    _metric(
        "failure_changes",
        lambda runs: metrics.failure_changes(runs, PERIOD).to_pandas(),
        ("automation", "day", "direction"), "before", "before_low", "after", "after_high", "probability",
    ),
    _metric(
        "incidents with coverage",
        lambda runs: metrics.incidents(runs, coverage=_coverage(runs)).to_pandas(),
        ("run_id", "outcome"), "duration_s", "observed", "failures", "start_seen", "outcome_s",
    ),
    _metric(
        "lagged_failures",
        lambda runs: metrics.lagged_failures(runs, "automation 1", "automation 2", permutations=99).to_pandas(),
        ("lag_s",), "both", "expected", "p_value", "p_adjusted",
    ),
    _metric(
        "learned_schedules",
        lambda runs: metrics.learned_schedules(runs, coverage=_coverage(runs)).to_pandas(),
        ("automation", "verdict"), "n", "left_out", "period_s", "expected", "missed", "untold",
    ),
    _metric(
        "ranking",
        lambda runs: metrics.ranking(runs, period=PERIOD).to_pandas(),
        ("automation",), "n", "failures", "posterior", "posterior_low", "posterior_high", "rank",
    ),
    _metric(
        "response_delays",
        lambda runs: metrics.response_delays(
            _events(runs), [("failed", "succeeded"), ("timed_out", "failed")], within_s=120, order=("run_id",)
        ).to_pandas(),
        ("a", "b"), "activations", "answered", "open", "p50_s",
    ),
    _metric(
        "temporal_profile",
        lambda runs: metrics.temporal_profile(_events(runs), order=("run_id",)).to_pandas(),
        ("a", "b"), "n", "mean_s", "sd_s", "shortest_s", "longest_s",
    ),
    _metric(
        "volume_knee by concurrency",
        lambda runs: metrics.volume_knee(runs, measure="concurrency").to_pandas(),
        (), "load", "rate", "n", "failures",
    ),
    _metric(
        "volumes of days",
        lambda runs: metrics.volumes(runs, by=(), per="day").to_pandas(),
        ("start",), "runs", "items", "n", "failures", "rate", "rate_limited",
    ),
)
