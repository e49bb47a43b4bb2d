"""What the tools in the story say when something fails: the texts that real services send."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aftershock.simulate.world import Error


def http(code: int, message: str, detail: str) -> Error:
    """An HTTP error as n8n tells it: a friendly message, and what the service answered."""
    return Error("NodeApiError", message, f'{code} - "{detail}"', code)


TWO_HOURS: Final = timedelta(hours=2, minutes=10)
KEY_EXPIRED: Final = http(
    401, "Authorization failed - please check your credentials", "invalid_api_key: the API key has expired"
)
RATE_LIMIT: Final = http(
    429, "The service is receiving too many requests from you", "rate_limited: retry after 60 seconds"
)
SERVER: Final = http(500, "The service was not able to process your request", "internal_error: deadlock detected")
INVALID: Final = http(
    422, "Your request is invalid or could not be processed by the service", "contact: country is not valid"
)
UNREACHABLE: Final = Error(
    "NodeApiError", "The connection timed out, consider setting the 'Retry on Fail' option", "ETIMEDOUT"
)
MEMORY: Final = Error("WorkflowCrashedError", "Workflow did not finish, possible out-of-memory issue")
DEBTOR: Final = Error("Debitor", "Debitor gesperrt: Mahnstufe 3")
