"""What goes wrong: `kinds` are the ways, `incidents` and `everyday` what is planted, `planted()` the list of all."""

from aftershock.simulate.faults.everyday import everyday
from aftershock.simulate.faults.incidents import incidents
from aftershock.simulate.faults.kinds import Fault, Handover, Passing, Plan

__all__ = ["Fault", "Handover", "Passing", "Plan", "planted"]


def planted() -> tuple[Fault, ...]:
    """All faults, made anew. The first that has a say in a run decides how it goes."""
    return (*incidents(), *everyday())
