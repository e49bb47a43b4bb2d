"""Failure against volume and concurrency: the volume at which an automation begins to break."""

from __future__ import annotations

from aftershock.metrics.load.concurrency import Concurrency, concurrency
from aftershock.metrics.load.failure_bins import FailureByLoad, failure_by_load
from aftershock.metrics.load.knee import LogisticKnee, logistic_knee
from aftershock.metrics.load.scalability import ScalabilityLaw, scalability_law
from aftershock.metrics.load.trend import Arrival, VolumeTrend, volume_trend
from aftershock.metrics.load.volume_knees import VolumeKnee, volume_knee
from aftershock.metrics.load.volumes import Volumes, volumes

__all__ = [
    "Arrival",
    "Concurrency",
    "FailureByLoad",
    "LogisticKnee",
    "ScalabilityLaw",
    "VolumeKnee",
    "VolumeTrend",
    "Volumes",
    "concurrency",
    "failure_by_load",
    "logistic_knee",
    "scalability_law",
    "volume_knee",
    "volume_trend",
    "volumes",
]
