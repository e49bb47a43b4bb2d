"""Where adapters are made: a first version from samples (`new`), and what one still lacks (`check`)."""

from aftershock.workshop.check import check_adapter
from aftershock.workshop.new import Made, new_adapter

__all__ = ["Made", "check_adapter", "new_adapter"]
