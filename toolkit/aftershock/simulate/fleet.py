"""The fleet as data: three clients, their automations and the chain that an order travels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Final, Literal

ZONE: Final = "Europe/Berlin"
AGENCY: Final = "Northwind Automations"
ORG: Final = "northwind-automations"
Tool = Literal["n8n", "airflow", "github_actions", "ledgerline"]


@dataclass(frozen=True)
class Client:
    """A client: how its orders are named and how many come on a working day."""

    id: str
    name: str
    order_prefix: str
    first_order: int
    orders_a_day: float


@dataclass(frozen=True)
class Step:
    """A step of an automation: a node, task or job step.

    `retries`: how often the tool itself tries again. `needs`: the steps before it, where that is not simply the one
    before. `always`: it runs even if what it needs has failed. `tolerates`: a failed item does not stop the run.
    """

    name: str
    kind: str
    seconds: float
    url: str = ""
    method: str = "POST"
    retries: int = 0
    needs: tuple[str, ...] = ()
    always: bool = False
    tolerates: bool = False


@dataclass(frozen=True)
class Automation:
    """One automation. `at`: local times of a daily schedule; `a_day`: arrivals on a working day, if it has any.

    `bunch`: each arrival is a bunch of about so many, which grows by the share `grows` a week.
    """

    tool: Tool
    name: str
    native_id: str
    client: str | None
    steps: tuple[Step, ...]
    at: tuple[time, ...] = ()
    a_day: float = 0.0
    bunch: float = 0.0
    grows: float = 0.0
    weekdays_only: bool = False
    repository: str = ""

    @property
    def scheduled(self) -> bool:
        """Started by the clock."""
        return bool(self.at)


CLIENTS: Final = (
    Client("acme", "Acme Outdoor", "ACME", 10423, 21.0),
    Client("globex", "Globex Home", "GLX", 20871, 13.0),
    Client("initech", "Initech Office", "INI", 3127, 8.0),
)

_HTTP = "n8n-nodes-base.httpRequest"
_CODE = "n8n-nodes-base.code"
_WEBHOOK = "n8n-nodes-base.webhook"
_CLOCK = "n8n-nodes-base.scheduleTrigger"
_TASK = "_PythonDecoratedOperator"
LEDGERLINE_URL: Final = "https://api.ledgerline.example/v1"


def _hours(first: int, last: int, step: int = 1, minute: int = 0) -> tuple[time, ...]:
    return tuple(time(hour, minute) for hour in range(first, last + 1, step))


def _intake(client: Client) -> Automation:
    return Automation(
        "n8n",
        f"{client.id} / Shop intake",
        f"wf{client.id.title()}Intake".ljust(16, "0"),
        client.id,
        (
            Step("Webhook", _WEBHOOK, 0.002, url=f"{client.id}/shop/orders"),
            Step("Check order", _CODE, 0.02),
            Step("Store order", _HTTP, 0.25, url=f"https://shop.{client.id}.example/api/orders"),
        ),
    )


def _crm(client: Client) -> Automation:
    return Automation(
        "n8n",
        f"{client.id} / CRM sync",
        f"wf{client.id.title()}CrmSync".ljust(16, "0"),
        client.id,
        (
            Step("Webhook", _WEBHOOK, 0.002, url=f"{client.id}/crm/orders"),
            Step("Upsert contact", _HTTP, 0.4, url=f"https://crm.{client.id}.example/v2/contacts", method="PUT"),
            Step("Create deal", _HTTP, 0.5, url=f"https://crm.{client.id}.example/v2/deals"),
        ),
    )


def _payments(client: str) -> Automation:
    return Automation(
        "n8n",
        f"{client} / Payment check",
        f"wf{client.title()}Payment".ljust(16, "0"),
        client,
        (
            Step("Every hour", _CLOCK, 0.001),
            Step("Open invoices", _HTTP, 0.9, url=f"{LEDGERLINE_URL}/invoices?status=open", method="GET"),
            Step("Mark paid", _HTTP, 0.3, url=f"https://shop.{client}.example/api/payments"),
        ),
        at=_hours(7, 20, minute=5 if client == "acme" else 35),
    )


INTAKE: Final = {client.id: _intake(client) for client in CLIENTS}
CRM: Final = {client.id: _crm(client) for client in CLIENTS}
PAYMENT_CHECKS: Final = (_payments("acme"), _payments("globex"))
STOCK_SYNC: Final = Automation(
    "n8n",
    "acme / Stock sync",
    "wfAcmeStock00000",
    "acme",
    (
        Step("Every 3 hours", _CLOCK, 0.001),
        Step("Read warehouse", _HTTP, 3.0, url="https://wms.acme.example/stock", method="GET"),
        Step("Update shop", _HTTP, 8.0, url="https://shop.acme.example/api/stock", tolerates=True),
    ),
    at=_hours(0, 21, 3, 10),
)
ENRICHMENT: Final = Automation(
    "n8n",
    "initech / Lead enrichment",
    "wfInitechLead000",
    "initech",
    (
        Step("Webhook", _WEBHOOK, 0.002, url="initech/leads"),
        Step("Enrich lead", _HTTP, 1.4, url="https://enrich.example/v1/company", method="GET", tolerates=True),
        Step("Save lead", _HTTP, 0.4, url="https://crm.initech.example/v2/leads"),
    ),
    a_day=9.0,
)
PRICES: Final = Automation(
    "n8n",
    "globex / Price updates",
    "wfGlobexPrices00",
    "globex",
    (
        Step("Webhook", _WEBHOOK, 0.002, url="globex/prices"),
        Step("Update price", _HTTP, 0.6, url="https://shop.globex.example/api/prices", method="PUT"),
    ),
    a_day=5.0,
    bunch=12.0,
    grows=0.09,
)
ALERTS: Final = Automation(
    "n8n",
    "Agency / Error alerts",
    "wfErrAlerts00001",
    None,
    (
        Step("Error Trigger", "n8n-nodes-base.errorTrigger", 0.001),
        Step("Post alert", _HTTP, 0.2, url="https://hooks.chat.example/services/northwind-alerts"),
    ),
)
INVOICE_EXPORT: Final = Automation(
    "airflow",
    "invoice_export",
    "invoice_export",
    None,
    (
        Step("load_order", _TASK, 4.0, retries=1),
        Step("render_invoice", _TASK, 11.0),
        Step("push_to_ledgerline", _TASK, 6.0, retries=2),
        Step("archive_pdf", _TASK, 5.0, retries=1, needs=("push_to_ledgerline",)),
        Step("confirm", _TASK, 1.5, needs=("push_to_ledgerline",)),
        Step("cleanup", _TASK, 0.8, needs=("archive_pdf",), always=True),
    ),
)
PRICE_FEED: Final = Automation(
    "airflow",
    "globex_price_feed",
    "globex_price_feed",
    "globex",
    (
        Step("fetch_feed", _TASK, 35.0, retries=2),
        Step("check_prices", _TASK, 20.0),
        Step("publish", _TASK, 50.0, retries=1),
    ),
    at=_hours(1, 21, 4, 30),
)
WAREHOUSE: Final = Automation(
    "airflow",
    "warehouse_nightly",
    "warehouse_nightly",
    None,
    (
        Step("extract", _TASK, 420.0, retries=1),
        Step("transform", _TASK, 900.0),
        Step("load", _TASK, 300.0, retries=1),
    ),
    at=(time(3, 40),),
)
DEPLOY: Final = Automation(
    "github_actions",
    "acme / Nightly deploy",
    "91220417",
    "acme",
    (Step("test", "job", 310.0), Step("deploy", "job", 140.0)),
    at=(time(4, 15),),
    repository=f"{ORG}/acme-shop",
)
DATA_CHECKS: Final = Automation(
    "github_actions",
    "globex / Data checks",
    "91220533",
    "globex",
    (Step("checks", "job", 190.0),),
    at=(time(5, 0),),
    a_day=2.2,
    weekdays_only=True,
    repository=f"{ORG}/globex-data",
)
REPORTS: Final = Automation(
    "github_actions",
    "initech / Morning report",
    "91220688",
    "initech",
    (Step("build", "job", 95.0), Step("send", "job", 25.0)),
    at=(time(6, 30),),
    repository=f"{ORG}/initech-reports",
)
BOOKING: Final = Automation(
    "ledgerline", "Invoice booking", "Invoice booking", None, (Step("booking", "booking", 40.0),)
)

AUTOMATIONS: Final = (
    *INTAKE.values(),
    *CRM.values(),
    *PAYMENT_CHECKS,
    STOCK_SYNC,
    ENRICHMENT,
    PRICES,
    ALERTS,
    INVOICE_EXPORT,
    PRICE_FEED,
    WAREHOUSE,
    DEPLOY,
    DATA_CHECKS,
    REPORTS,
    BOOKING,
)


@dataclass(frozen=True)
class Promise:
    """An expectation: every order that `after` has seen, `then` has dealt with within so many minutes."""

    name: str
    after: str
    then: str
    within_minutes: int


PROMISES: Final = (
    Promise("Every order reaches the CRM", "* / Shop intake", "* / CRM sync", 60),
    Promise("Every invoice is booked", "invoice_export", "Invoice booking", 480),
)
"""What the project's `aftershock.toml` expects too: a test compares them."""
