"""What happened on one day: the incidents of the story, the texts that need care, and what is not done at the end."""

from __future__ import annotations

from datetime import time

from aftershock.simulate import errors
from aftershock.simulate.faults.kinds import BadRelease, Crowd, ExpiredKey, Fault, MissingLog, Once, Stuck, Window
from aftershock.simulate.world import Error, Outcome


def incidents() -> tuple[Fault, ...]:
    """Oldest first; then the texts; then the end."""
    return (*_days(), *_texts(), *_ends())


def _days() -> tuple[Fault, ...]:
    return (
        Window(
            name="CRM rate limit",
            what="A bulk mailing used up the CRMs' rate limit on a Tuesday from 09:40 to 12:20. The syncs that failed "
            "were run again two hours later.",
            automations=("* / CRM sync",),
            days_ago=26,
            start=time(9, 40),
            end=time(12, 20),
            outcome=Outcome("failed", step="Upsert contact", error=errors.RATE_LIMIT, repair_after=errors.TWO_HOURS),
            share=0.85,
        ),
        BadRelease(
            name="lead enrichment: bad version",
            what="A new version of the lead enrichment, at noon on a Thursday, fails for every company without a size.",
            automation="initech / Lead enrichment",
            days_ago=17,
            at=time(12),
            rate=0.16,
            outcome=Outcome("failed", step="Save lead", error=errors.SIZE),
        ),
        MissingLog(
            name="ledgerline log missing",
            what="One Tuesday is not in the accounting export: what was booked that day cannot be told.",
            source="ledgerline",
            days_ago=19,
        ),
        Window(
            name="warehouse API down",
            what="The warehouse's API was down for a night and a morning.",
            automations=("acme / Stock sync",),
            days_ago=16,
            start=time(0, 5),
            end=time(9, 30),
            outcome=Outcome("failed", step="Read warehouse", error=errors.UNREACHABLE, slow=3.0),
        ),
        Window(
            name="stock sync over midnight",
            what="A full count took a sync over Sunday's midnight: running in one week's export, done in the next.",
            automations=("acme / Stock sync",),
            days_ago=7,
            start=time(21),
            end=time(22),
            outcome=Outcome(slow=1500.0),
        ),
        Window(
            name="feed over midnight",
            what="A slow price feed ended after Sunday's midnight: running in one week's export, done in the next.",
            automations=("globex_price_feed",),
            days_ago=14,
            start=time(21),
            end=time(22),
            outcome=Outcome(slow=130.0),
        ),
        ExpiredKey(
            name="ledgerline key expired",
            what="ledgerline's API key ran out on Wednesday at 08:52 and was renewed at 14:31: every export in between "
            "failed with the same 401, and its log shows the key. Some were run again by hand the next morning, the rest never.",
            automations=("invoice_export",),
            days_ago=4,
            start=time(8, 52),
            end=time(14, 31),
            outcome=Outcome("failed", step="push_to_ledgerline", error=errors.PUSH_UNAUTHORIZED, tries=3),
            repaired_share=0.6,
        ),
        Window(
            name="ledgerline key expired: payment checks",
            what="The same expired key, as the payment checks saw it.",
            automations=("* / Payment check",),
            days_ago=4,
            start=time(8, 52),
            end=time(14, 31),
            outcome=Outcome("failed", step="Open invoices", error=errors.KEY_EXPIRED),
        ),
        Crowd(
            name="Sunday newsletter",
            what="No fault: a newsletter brought orders on the last evening, which are on their way at the end.",
            client="acme",
            days_ago=0,
            start=time(20, 40),
            end=time(23, 55),
            orders=11,
        ),
    )


def _texts() -> tuple[Fault, ...]:
    url, header, password, _ = errors.PLANTED_SECRETS
    asked = f"GET https://crm.globex.example/v2/deals?access_token={url}&page=1"
    sent = f"Forbidden - request headers were: Authorization: Bearer {header}; Accept: */*"
    return (
        Once(
            name="secret in a URL",
            what="An error text shows a URL with its access token.",
            automation="globex / CRM sync",
            days_ago=5,
            after=time(10),
            step="Create deal",
            error=errors.http(502, f"Bad gateway - the service failed to handle your request: {asked}", asked),
        ),
        Once(
            name="secret in a header",
            what="An error text shows an Authorization header.",
            automation="acme / Stock sync",
            days_ago=3,
            after=time(9),
            step="Read warehouse",
            error=errors.http(403, sent, "forbidden"),
        ),
        Once(
            name="password in a message",
            what="The accounting tool's message shows a password.",
            automation="Invoice booking",
            days_ago=11,
            after=time(11),
            step="booking",
            error=Error("SMTP", f"Belegversand fehlgeschlagen: smtp login failed, password={password}"),
        ),
        Once(
            name="markup in an error text",
            what="An error text is a script tag: it must be shown as text.",
            automation="initech / Lead enrichment",
            days_ago=2,
            after=time(9),
            step="Save lead",
            error=errors.http(422, "<script>alert(1)</script> is no valid company name", "invalid company"),
        ),
    )


def _ends() -> tuple[Fault, ...]:
    return (
        Stuck(
            name="running at the end",
            what="Still running when the last export was made.",
            automations=("acme / Stock sync",),
            minutes=175,
        ),
        Stuck(
            name="sync running at the end",
            what="A CRM sync that was not done when the last export was made.",
            automations=("* / CRM sync",),
            minutes=18,
            share=0.6,
        ),
        Stuck(
            name="queued at the end",
            what="Not started when the last export was made.",
            automations=("invoice_export",),
            minutes=120,
            status="queued",
        ),
        Stuck(
            name="held at the end",
            what="Held for a check when the last export was made.",
            automations=("Invoice booking",),
            minutes=120,
            status="waiting",
        ),
    )
