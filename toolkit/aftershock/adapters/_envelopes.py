"""The old name of what stands in `_documents` now."""

from aftershock.adapters._documents import CutOff as CutOff
from aftershock.adapters._documents import values as values
