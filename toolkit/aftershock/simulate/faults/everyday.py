"""What goes wrong on any day, at a rate."""

from __future__ import annotations

from typing import Final

from aftershock.simulate import errors
from aftershock.simulate.faults.kinds import DoubleDelivery, Fault, Hiccup, LostHandover, Overload, SlowHandover
from aftershock.simulate.world import Error, Outcome

_HOURS: Final = (180.0, 900.0)
_SYNC: Final = ("* / CRM sync",)
_EXPORT: Final = ("invoice_export",)
_BOOKING: Final = ("Invoice booking",)
_STOCK: Final = ("acme / Stock sync",)
_LEADS: Final = ("initech / Lead enrichment",)
_CHECKS: Final = ("globex / Data checks",)


def everyday() -> tuple[Fault, ...]:
    """Along the order's way first, then the rest of the fleet."""
    return (*_handovers(), *_orders(), *_others())


def _failed(step: str, error: Error | None = None, *, tries: int = 1, slow: float = 1.0) -> Outcome:
    return Outcome("failed", step=step, error=error, tries=tries, slow=slow)


def _silently(step: str, error: Error, *, tries: int = 1) -> Outcome:
    return Outcome("partial", step=step, error=error, tries=tries)


def _saved(step: str, error: Error) -> Outcome:
    return Outcome(step=step, error=error, tries=2, saved=True)


def _handovers() -> tuple[Fault, ...]:
    return (
        DoubleDelivery(
            name="double delivery",
            what="The shop sent an order twice; it was booked twice.",
            to="* / Shop intake",
            rate=0.004,
        ),
        LostHandover(
            name="lost between shop and CRM",
            what="The shop's intake succeeded, the CRM sync was never called. No run failed.",
            to="* / CRM sync",
            rate=0.003,
        ),
        LostHandover(
            name="lost between export and booking",
            what="The export succeeded, ledgerline never booked it. No run failed.",
            to="Invoice booking",
            rate=0.0025,
        ),
        SlowHandover(
            name="late booking",
            what="The invoice waited for hours before ledgerline booked it. No run failed.",
            to="Invoice booking",
            rate=0.006,
            hours=(9.0, 14.0),
        ),
    )


def _orders() -> tuple[Fault, ...]:
    return (
        Hiccup(
            name="intake hiccup",
            what="The shop's own API fails for a moment; the intake is run again within minutes.",
            automations=("* / Shop intake",),
            rate=0.009,
            outcome=_failed("Store order", errors.SERVER),
            repaired=1.0,
        ),
        Hiccup(
            name="CRM hiccup",
            what="The CRM fails for a moment; the sync is run again within minutes.",
            automations=_SYNC,
            rate=0.012,
            outcome=_failed("Create deal", errors.SERVER),
            repaired=1.0,
        ),
        Hiccup(
            name="CRM failure",
            what="The CRM refuses a contact; the sync is run again hours later, or never.",
            automations=_SYNC,
            rate=0.006,
            outcome=_failed("Upsert contact", errors.INVALID),
            repaired=0.6,
            after=_HOURS,
        ),
        Hiccup(
            name="push saved by a retry",
            what="The push to ledgerline works at the second try.",
            automations=_EXPORT,
            rate=0.035,
            outcome=_saved("push_to_ledgerline", errors.PUSH_UNAVAILABLE),
        ),
        Hiccup(
            name="archive fails silently",
            what="The invoice is booked but never archived; Airflow says success.",
            automations=_EXPORT,
            rate=0.014,
            outcome=_silently("archive_pdf", errors.ARCHIVE, tries=2),
        ),
        Hiccup(
            name="export failure",
            what="The invoice cannot be rendered; the export is run again hours later, or never.",
            automations=_EXPORT,
            rate=0.005,
            outcome=_failed("render_invoice", errors.TEMPLATE),
            repaired=0.5,
            after=(600, 900),
        ),
        Hiccup(
            name="booking refused",
            what="ledgerline refuses the booking.",
            automations=_BOOKING,
            rate=0.004,
            outcome=_failed("booking", errors.DEBTOR),
        ),
        Hiccup(
            name="booking withdrawn",
            what="A booking is withdrawn by hand.",
            automations=_BOOKING,
            rate=0.003,
            outcome=Outcome("cancelled", step="booking", error=Error("Storno", "auf Kundenwunsch storniert")),
        ),
    )


def _others() -> tuple[Fault, ...]:
    return (
        Hiccup(
            name="enrichment fails silently",
            what="The lead is saved without its company; n8n says success.",
            automations=_LEADS,
            rate=0.05,
            outcome=_silently("Enrich lead", errors.SERVER),
        ),
        Hiccup(
            name="enrichment failure",
            what="The lead cannot be saved.",
            automations=_LEADS,
            rate=0.02,
            outcome=_failed("Save lead", errors.SERVER),
            repaired=0.5,
        ),
        Hiccup(
            name="some articles not updated",
            what="The shop refuses some articles; n8n says success.",
            automations=_STOCK,
            rate=0.02,
            outcome=_silently("Update shop", errors.SERVER),
        ),
        Hiccup(
            name="stock sync stopped",
            what="Somebody stops a slow stock sync.",
            automations=_STOCK,
            rate=0.012,
            outcome=Outcome("cancelled", step="Update shop", slow=25.0),
        ),
        Hiccup(
            name="stock sync out of memory",
            what="n8n runs out of memory.",
            automations=_STOCK,
            rate=0.01,
            outcome=Outcome("crashed", step="Update shop", error=errors.MEMORY),
        ),
        Hiccup(
            name="payment check failure",
            what="ledgerline does not answer in time.",
            automations=("* / Payment check",),
            rate=0.011,
            outcome=_failed("Open invoices", errors.UNREACHABLE, slow=20.0),
        ),
        Hiccup(
            name="feed saved by a retry",
            what="The price feed is there at the second try.",
            automations=("globex_price_feed",),
            rate=0.07,
            outcome=_saved("fetch_feed", errors.FEED),
        ),
        Hiccup(
            name="feed failure",
            what="The price feed does not come.",
            automations=("globex_price_feed",),
            rate=0.022,
            outcome=_failed("fetch_feed", errors.FEED, tries=3),
        ),
        Hiccup(
            name="warehouse load failure",
            what="The nightly load of the warehouse fails.",
            automations=("warehouse_nightly",),
            rate=0.03,
            outcome=_failed("load", errors.DISK, tries=2),
        ),
        Overload(
            name="price updates at volume",
            what="The shop takes some fifteen price updates an hour; above that it refuses ever more of them.",
            automation="globex / Price updates",
            breaks_at=36,
            steep=0.17,
            outcome=_failed("Update price", errors.RATE_LIMIT),
        ),
        Hiccup(
            name="price update failure",
            what="The shop does not know the article.",
            automations=("globex / Price updates",),
            rate=0.008,
            outcome=_failed("Update price", errors.ARTICLE),
        ),
        Hiccup(
            name="flaky tests",
            what="A test fails that works when run again.",
            automations=("acme / Nightly deploy", "globex / Data checks"),
            rate=0.07,
            outcome=_failed("*"),
            repaired=0.6,
            after=(20, 240),
        ),
        Hiccup(
            name="report failure",
            what="The morning report fails.",
            automations=("initech / Morning report",),
            rate=0.04,
            outcome=_failed("send"),
        ),
        Hiccup(
            name="checks overtaken",
            what="A newer push cancels the checks.",
            automations=_CHECKS,
            rate=0.09,
            outcome=Outcome("cancelled", step="checks"),
            trigger="pull_request",
        ),
        Hiccup(
            name="checks not needed",
            what="Nothing that the checks look at has changed.",
            automations=_CHECKS,
            rate=0.14,
            outcome=Outcome("skipped"),
            trigger="pull_request",
        ),
    )
