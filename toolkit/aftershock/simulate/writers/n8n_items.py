"""The items that n8n's nodes hand on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from aftershock.simulate.fleet import PRICES
from aftershock.simulate.rhythm import BERLIN
from aftershock.simulate.world import Run, StepRun
from aftershock.simulate.writers.files import token

HOST: Final = "https://n8n.northwind.example"


def items_of(run: Run, step: StepRun) -> list[dict[str, Any]]:
    """The items that a node gave out."""
    kind, name, key = step.step.kind, step.step.name, run.root.serial
    order = run.order
    if kind.endswith(".webhook"):
        url = f"{HOST}/webhook/{step.step.url}"
        headers = {"host": "n8n.northwind.example", "user-agent": "shop-hooks/2.4", "content-type": "application/json"}
        return [
            {
                "headers": headers,
                "params": {},
                "query": {},
                "body": _body(run),
                "webhookUrl": url,
                "executionMode": "production",
            }
        ]
    if kind.endswith(".scheduleTrigger"):
        return [_clock(step.tries[0].started_at)]
    if name == "Check order" and order:
        return [{"order_id": order.number, "valid": True, "amount": order.amount, "email": order.email}]
    if name == "Store order" and order:
        return [{"ok": True, "order_id": order.number, "state": "accepted"}]
    if name == "Upsert contact" and order:
        contact = {"id": f"c_{token('contact', order.number, size=4)}", "email": order.email, "created": False}
        return [{"ok": True, "contact": contact, "order_id": order.number}]
    if name == "Create deal" and order:
        return [
            {
                "ok": True,
                "deal": {"id": f"d_{token('deal', key, size=4)}", "amount": order.amount},
                "order_id": order.number,
            }
        ]
    if name == "Enrich lead":
        return [
            _failed_item(step) if step.status == "errored_item" else {"company_size": 10 + key % 240, "country": "DE"}
        ]
    if name == "Save lead":
        return [{"ok": True, "lead_id": run.lead}]
    if name in ("Read warehouse", "Update shop"):
        return _stock(step, key)
    if name == "Update price":
        return [{"ok": True, **_price(run)}]
    if name == "Open invoices":
        return [{"invoice": f"RE-{60000 + key * 3 + n}", "open_days": (key + n * 5) % 31} for n in range(1 + key % 3)]
    if name == "Mark paid":
        return [{"ok": True, "paid": key % 3}]
    return [{"ok": True, "alert_id": f"al_{token('alert', key, size=4)}"}]


def _price(run: Run) -> dict[str, Any]:
    key = run.root.serial
    return {"sku": f"GHM-{7000 + (key * 11) % 900}", "price": round(4.9 + (key * 37) % 20000 / 100, 2)}


def _stock(step: StepRun, key: int) -> list[dict[str, Any]]:
    articles = [f"OUT-{3100 + (key * 7 + n * 13) % 400}" for n in range(3 + key % 4)]
    if step.step.name == "Read warehouse":
        return [{"sku": article, "stock": (key + n * 17) % 90} for n, article in enumerate(articles)]
    items: list[dict[str, Any]] = [{"ok": True, "sku": article} for article in articles]
    if step.status == "errored_item":
        items[-1] = _failed_item(step)
    return items


def _failed_item(step: StepRun) -> dict[str, Any]:
    """What a node that continues on fail hands on for an item that failed."""
    error = step.error
    message = error.detail if error else ""
    return {
        "error": {
            "message": message,
            "name": "AxiosError",
            "code": "ERR_BAD_RESPONSE",
            "status": error.code if error else 500,
        }
    }


def _body(run: Run) -> dict[str, Any]:
    if run.order:
        return {"order_id": run.order.number, "email": run.order.email, "amount": run.order.amount, "currency": "EUR"}
    if run.automation is PRICES:
        return _price(run)
    return {"lead_id": run.lead, "company": f"Company {run.lead[5:]} GmbH", "email": f"{run.lead.lower()}@mail.example"}


def _clock(at: datetime) -> dict[str, Any]:
    there = at.astimezone(BERLIN)
    offset = there.isoformat()[-6:]
    return {
        "timestamp": there.isoformat(timespec="milliseconds"),
        "Day of week": f"{there:%A}",
        "Hour": f"{there:%H}",
        "Minute": f"{there:%M}",
        "Timezone": f"Europe/Berlin (UTC{offset})",
    }
