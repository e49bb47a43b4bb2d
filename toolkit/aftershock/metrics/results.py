"""What every metric gives back: an estimate with its interval, n, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pandas as pd


@runtime_checkable
class Result(Protocol):
    """What the result of a metric has, whatever it is about.

    `n` counts what the estimate is made of, `left_out` what was given and is not in n. `interval` holds the main estimate;
    it is null where the result is a table of many, or where nothing can be estimated. Rates without these three are not given.
    """

    @property
    def n(self) -> int:
        """How many observations count."""

    @property
    def left_out(self) -> int:
        """How many were given and do not count: without a time, without a value, of another kind."""

    @property
    def interval(self) -> Interval | None:
        """The main estimate with its bounds."""

    def to_pandas(self) -> pd.DataFrame:
        """The numbers as a data frame: a row per group, point or step; one row for a single estimate."""


class Told:
    """The repr of a result that holds tables: its name, n, what was left out and the main estimate; no plan of a query.

    The numbers are asked for when it is shown. Where nobody answers any more (the connection is closed) the name stands alone.
    """

    def __repr__(self) -> str:
        """One line."""
        name = type(self).__name__
        try:
            words = [f"{one}={getattr(self, one)}" for one in ("n", "left_out") if hasattr(self, one)]
            found: Interval | None = getattr(self, "interval", None)
            if found is not None and found.estimate is not None:
                low, high = ("?" if end is None else f"{end:.4g}" for end in (found.low, found.high))
                words.append(f"{found.estimate:.4g} ({low} to {high} at {100 * found.level:g} %)")
        except Exception:  # whatever a backend raises, a repr does not
            return f"<{name}>"
        return f"<{' '.join([name, ', '.join(words)]).strip()}; rows: .to_pandas()>"


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds that hold it at `level`; a `Result` by itself.

    `estimate`, `low` and `high` are null where nothing can be said: where `n` is 0, say. `low` or `high` alone is null where the
    data do not bound that side. `method` names how the bounds were made.
    """

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    level: float
    method: str
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """Itself."""
        return self

    def to_pandas(self) -> pd.DataFrame:
        """One row: estimate, low, high, n, level, method, left_out."""
        return one_row(self)


def one_row(result: Any) -> pd.DataFrame:
    """A data frame of one row from the scalar fields of a frozen result; an `Interval` x becomes x, x_low and x_high."""
    import pandas as pd

    row: dict[str, Any] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if isinstance(value, Interval):
            row |= {field.name: value.estimate, f"{field.name}_low": value.low, f"{field.name}_high": value.high}
        elif value is None or isinstance(value, bool | int | float | str):
            row[field.name] = value
    return pd.DataFrame([row])
