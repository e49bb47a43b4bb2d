"""Error fingerprints: messages that differ only in ids, numbers, times and names are one."""

from __future__ import annotations

from aftershock.metrics.fingerprints.accuracy import GroupingAccuracy, grouping_accuracy
from aftershock.metrics.fingerprints.families import ErrorFamilies, error_families
from aftershock.metrics.fingerprints.templates import Templates, mask, mine_templates

__all__ = [
    "ErrorFamilies",
    "GroupingAccuracy",
    "Templates",
    "error_families",
    "grouping_accuracy",
    "mask",
    "mine_templates",
]
