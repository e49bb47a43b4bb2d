"""The line that names the error and the frame of own code, for Python, JavaScript and Java."""

from __future__ import annotations

import pytest

from aftershock.metrics.fingerprints.tracebacks import frame, headline, kind

PYTHON = """Traceback (most recent call last):
  File "/app/jobs/old.py", line 3, in first
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/jobs/crm.py", line 12, in push
    send(order)
    ~~~~^^^^^^^
  File "/venv/lib/python3.11/site-packages/requests/api.py", line 59, in post
    raise ConnectionError(e)
requests.exceptions.ConnectionError: refused by crm
"""
JAVASCRIPT = """TypeError: Cannot read properties of undefined (reading 'total')
    at Object.pick (/app/node_modules/lodash/pick.js:10:3)
    at async sendInvoice (/app/src/invoice.js:20:11)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""
JAVA = """java.lang.RuntimeException: job failed
\tat com.acme.Main.main(Main.java:5)
Caused by: java.io.IOException: disk full
\tat java.base/java.io.FileOutputStream.write(FileOutputStream.java:99)
\tat com.acme.Store.save(Store.java:77)
\t... 3 more"""


@pytest.mark.parametrize(
    ("text", "line", "where", "what"),
    [
        (
            PYTHON,
            "requests.exceptions.ConnectionError: refused by crm",
            "crm.py:push",
            "requests.exceptions.ConnectionError",
        ),
        (
            JAVASCRIPT,
            "TypeError: Cannot read properties of undefined (reading 'total')",
            "invoice.js:sendInvoice",
            "TypeError",
        ),
        (JAVA, "java.io.IOException: disk full", "Store.java:save", "java.io.IOException"),
        ("Database Error in model x\n  no such table", "Database Error in model x no such table", None, None),
        ("ValueError", "ValueError", None, "ValueError"),
        ("all is lost", "all is lost", None, None),
    ],
    ids=["Python", "JavaScript", "Java", "several lines", "a type alone", "no type"],
)
def test_a_traceback_tells_its_error_and_its_frame(text: str, line: str, where: str | None, what: str | None) -> None:
    assert (headline(text), frame(text), kind(headline(text))) == (line, where, what)


def test_a_traceback_of_others_code_alone_has_its_innermost_frame() -> None:
    text = 'Traceback (most recent call last):\n  File "/x/site-packages/a.py", line 1, in f\n  File "/x/site-packages/b.py", line 2, in g\nE: x'
    assert frame(text) == "b.py:g"


def test_a_message_below_the_exception_belongs_to_it() -> None:
    assert (
        headline(
            'Traceback (most recent call last):\n  File "/a.py", line 1, in f\nValueError: two lines:\n  the second\n'
        )
        == "ValueError: two lines: the second"
    )
