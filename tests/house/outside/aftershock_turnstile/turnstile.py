"""Turnstile, a tool that does not exist: its `passes.csv`, a line per run."""

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "turnstile"
DOCS = "https://example.org/turnstile"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=False,
    evidence="documented",
)
STATUS = StatusTable({"passed": "succeeded", "jammed": "failed"})

RUNS = """
select place, pass_no as native_id, gate as automation, verdict as status_raw, entered as started_at, left_at as ended_at from records
"""

EXPORTS = (
    Export(
        name="passes",
        form="csv",
        requires=frozenset({"pass_no", "gate", "verdict"}),
        columns={"pass_no": "VARCHAR", "gate": "VARCHAR", "verdict": "VARCHAR", "entered": TIME, "left_at": TIME},
        select={"runs": RUNS},
    ),
)
