"""What must hold across tools: every record that one automation touched is touched by another, in time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aftershock.expectations.effective import effective_rate as effective_rate
    from aftershock.expectations.reconciliation import Reconciliation as Reconciliation
    from aftershock.expectations.reconciliation import reconcile as reconcile

# No module is called like the function in it: loading the module would hide the function.
_WHERE: Final = {"Reconciliation": "reconciliation", "effective_rate": "effective", "reconcile": "reconciliation"}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
