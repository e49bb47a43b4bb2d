"""The life cycle of activities in event logs: the words of the standards XES and BPAF, which OCEL's writers use too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STATUS_WORDS: Final[Mapping[str | tuple[str | None, ...] | None, str]] = {
    # `lifecycle:transition` of the standard model.
    "schedule": "queued",
    "assign": "queued",
    "reassign": "queued",
    "start": "running",
    "resume": "running",
    "suspend": "waiting",
    "complete": "succeeded",
    "autoskip": "skipped",
    "manualskip": "skipped",
    "withdraw": "cancelled",
    "pi_abort": "cancelled",
    "ate_abort": "failed",
    "unknown": "unknown",
    # `lifecycle:state`, in the words of BPAF.
    "Completed": "succeeded",
    "Completed.Success": "succeeded",
    "Completed.Failed": "failed",
    "Closed": "succeeded",
    "Closed.Completed": "succeeded",
    "Closed.Completed.Success": "succeeded",
    "Closed.Completed.Failed": "failed",
    "Closed.Cancelled": "cancelled",
    "Closed.Cancelled.Aborted": "cancelled",
    "Closed.Cancelled.Terminated": "cancelled",
    "Closed.Cancelled.Obsolete": "cancelled",
    "Closed.Cancelled.Exited": "cancelled",
    "Closed.Cancelled.Error": "failed",
    "Open": "running",
    "Open.Running": "running",
    "Open.Running.InProgress": "running",
    "Open.Running.Suspended": "waiting",
    "Open.NotRunning": "queued",
    "Open.NotRunning.Ready": "queued",
    "Open.NotRunning.Assigned": "queued",
    "Open.NotRunning.Reserved": "queued",
    "Open.NotRunning.Suspended": "waiting",
    "Open.NotRunning.Suspended.Ready": "waiting",
    "Open.NotRunning.Suspended.Assigned": "waiting",
    "Open.NotRunning.Suspended.Reserved": "waiting",
}
