"""A fleet of automations with planted faults, written in the tools' own export formats, with its truth.

`fleet` says what runs, `rhythm` when, `faults` what goes wrong; `story` plays it, `writers` write it down, `truth` is
the answer sheet. Same seed, same files.
"""

from aftershock.simulate.simulation import simulate
from aftershock.simulate.truth import Truth

__all__ = ["Truth", "simulate"]
