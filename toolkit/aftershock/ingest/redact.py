"""Secrets and personal data out of text, before a row is written: the same patterns in Python and as a DuckDB expression.

Two engines must read every pattern alike (Python's `re` with `re.ASCII`, and RE2), so patterns keep to what both mean the same
by: no look-around, no `.`, no `\\s`, no `$`, and letter case spelled out as `[pP]` instead of a flag. Each pattern keeps the name
of what it took out visible (`sig=[redacted]`), and finds nothing more in its own result. `tests/ingest` holds both equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

GONE: Final = "[redacted]"
PERSONAL: Final = "[personal]"


@dataclass(frozen=True)
class SecretPattern:
    """One way in which a secret stands in text.

    `replacement` uses `\\1` for what stays. `hint` matches whatever `pattern` matches, and is cheap: where no hint is found,
    no pattern is tried.
    """

    name: str
    pattern: str
    replacement: str
    hint: str


def _any_case(words: str) -> str:
    """`pass` as `[pP][aA][sS][sS]`: an inline flag would fold differently in the two engines."""
    return re.sub(
        r"\\[a-z]|[a-z]", lambda found: found[0] if found[0][0] == "\\" else f"[{found[0]}{found[0].upper()}]", words
    )


_END = r"(?:[_-]?(?:[vV]alue|[tT]ext|[0-9]{1,2}))?"  # password2, tokenValue
_PASSWORD = "(?:" + _any_case(r"password|passwort|kennwort|passwd|passphrase|(?:\b|_)pwd") + ")" + _END
_TOKEN = "(?:" + _any_case(
    r"token|secret|api[-_ ]?key|access[-_ ]?key|secret[-_ ]?key|private[-_ ]?key|account[-_ ]?key|subscription[-_ ]?key|"
    r"encryption[-_ ]?key|signing[-_ ]?key|shared[-_]?access[-_]?signature|signature|(?:\b|_|-)sig|jsessionid|phpsessid|connect\.sid"
) + ")" + _END  # fmt: skip
_HEADER = "(?:" + _any_case("authorization|set-cookie|cookie") + ")"
_ANY = f"(?:{_PASSWORD}|{_TOKEN}|{_HEADER})"

_WS = r"[ \t\r\n]*"
_BLANK = r"[ \t]*"
_IN_DOUBLE = r"(?:[^\"\\]|\\[^\x00])+"
_IN_SINGLE = r"(?:[^'\\\r\n]|\\[^\x00])+"
_IN_ESCAPED = r"(?:[^\"\\]|\\\\(?:\\[\"\\]|[^\"\\]))+"  # between \" and \": a quote inside is \\\"
_IN_DEEPER = r"[^\"\\]+(?:\\+[^\"\\]+)*"
_LOOKS_RANDOM = (  # for places where prose stands too: eight or more characters with a digit, or very many
    r"(?:[A-Za-z0-9_.+/=~-]{7,}[0-9][A-Za-z0-9_.+/=~-]*|[A-Za-z_.+/=~-]*[0-9][A-Za-z0-9_.+/=~-]{7,}"
    r"|[A-Za-z0-9_.+/=~-]{4,}[0-9][A-Za-z0-9_.+/=~-]{3,}|[A-Za-z0-9_+/=~]{24,})"
)
_LOOKS_CHOSEN = (  # a password after a colon, but not "password: incorrect"
    r"(?:[^ \t\r\n,;\"'<>\\]{0,60}[0-9!#$%^&*+@=][^ \t\r\n,;\"'<>\\]*|[A-Za-z]{0,60}[a-z][A-Z][A-Za-z]*|[A-Za-z]{16,})"
)


def _keyed(name: str, pattern: str, replacement: str = rf"\1{GONE}") -> SecretPattern:
    return SecretPattern(name, pattern, replacement, _ANY)


SECRET_PATTERNS: Final = (
    SecretPattern(
        "private key block",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-{1,4}[^-])*(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?",
        "[redacted private key]",
        "PRIVATE KEY",
    ),
    _keyed(
        "cookies in a list",
        rf"({_any_case('cookie')}\\*\"{_WS}:{_WS}\[)(?:{_WS}\"{_IN_DOUBLE}\"{_WS},?)+{_WS}\]",
        rf'\1"{GONE}"]',
    ),
    # "password": "...", and the same inside a JSON string, once or more often escaped
    _keyed("quoted key, double", rf"({_ANY}[\"']{_WS}(?::|=>){_WS}\[?{_WS}\"){_IN_DOUBLE}"),
    _keyed("quoted key, single", rf"({_ANY}[\"']{_WS}(?::|=>){_WS}\[?{_WS}b?'){_IN_SINGLE}"),
    _keyed("quoted key, escaped", rf"({_ANY}\\\"{_WS}:{_WS}\[?{_WS}\\\"){_IN_ESCAPED}"),
    _keyed("quoted key, escaped again", rf"({_ANY}\\{{2,}}\"{_WS}:{_WS}\[?{_WS}\\{{2,}}\"){_IN_DEEPER}"),
    _keyed("quoted key, number", rf"({_PASSWORD}\"{_WS}:{_WS})[0-9]+", rf'\1"{GONE}"'),
    # {"name": "X-Api-Key", "value": "..."}: headers as n8n, HAR and many consoles list them
    _keyed(
        "named value",
        rf"((?:name|key|header)\\*[\"']{_WS}:{_WS}\\*[\"'][^\"'\\]{{0,60}}{_ANY}\\*[\"']{_WS},{_WS}\\*[\"']value\\*[\"']{_WS}:{_WS}\\*[\"'])"
        r"[^\"'\\]+(?:\\+[^\"'\\]+)*",
    ),
    _keyed(
        "XML element",
        rf"(<(?:[A-Za-z0-9_-]{{1,40}}:)?[A-Za-z0-9_.-]{{0,40}}{_ANY}(?: [^<>]*)?>)[^<]+(</)",
        rf"\1{GONE}\2",
    ),
    # password="..." and password='...', in configurations and connection strings
    _keyed("assigned, double", rf"((?:{_PASSWORD}|{_TOKEN}){_BLANK}=>?{_BLANK}\"){_IN_DOUBLE}"),
    _keyed("assigned, single", rf"((?:{_PASSWORD}|{_TOKEN}){_BLANK}=>?{_BLANK}'){_IN_SINGLE}"),
    _keyed("assigned, escaped", rf"((?:{_PASSWORD}|{_TOKEN}){_BLANK}={_BLANK}\\\"){_IN_ESCAPED}"),
    _keyed("password in quotes", rf"({_PASSWORD}{_BLANK}:{_BLANK}\"){_IN_DOUBLE}"),
    _keyed("password in single quotes", rf"({_PASSWORD}{_BLANK}:{_BLANK}'){_IN_SINGLE}"),
    _keyed("token in quotes", rf"({_TOKEN}{_BLANK}:{_BLANK}[\"']){_LOOKS_RANDOM}"),
    # ?sig=...&, Password=...;, AccountKey=...
    _keyed("password=", rf"({_PASSWORD}{_BLANK}={_BLANK})[^ \t\r\n&;\"'<>\\=][^ \t\r\n&;\"'<>\\]*"),
    _keyed("token=", rf"({_TOKEN}{_BLANK}={_BLANK})[^ \t\r\n&;,\"'<>\\(){{}}=][^ \t\r\n&;,\"'<>\\(){{}}]*"),
    _keyed("token%3D", rf"((?:{_PASSWORD}|{_TOKEN})%3[dD])(?:[A-Za-z0-9._~+/*!$-]|%2[BbFf]|%3[Dd]|%25)+"),
    # Authorization: Bearer ..., Cookie: a=b; c=d, password: ..., x-api-key: ...
    _keyed(
        "authorization header",
        rf"({_any_case('authorization')}{_BLANK}[:=]{_BLANK}{_any_case('(?:bearer|basic|token|digest|apikey|negotiate)')}[ \t]+)[^ \t\r\n\"',;<>\\]+",
    ),
    _keyed("authorization without a scheme", rf"({_any_case('authorization')}{_BLANK}[:=]{_BLANK}){_LOOKS_RANDOM}"),
    _keyed("cookie header", rf"({_any_case('cookie')}{_BLANK}:{_BLANK})[^ \t\r\n;=\"'\\:]+=[^\r\n\"'\\]*"),
    _keyed("password:", rf"({_PASSWORD}{_BLANK}:{_BLANK}){_LOOKS_CHOSEN}"),
    _keyed("token:", rf"({_TOKEN}{_BLANK}:{_BLANK}){_LOOKS_RANDOM}"),
    _keyed("option", rf"(--[a-z-]{{0,30}}(?:{_PASSWORD}|{_TOKEN}) +)[^ \t\r\n\"'\\-]*[0-9!#$%^&*+@=][^ \t\r\n\"'\\]*"),
    SecretPattern(
        "SQL password",
        rf"(\b(?:{_any_case('identified by')}|{_any_case('password')}) +')[^'\r\n]+",
        rf"\1{GONE}",
        _any_case("(?:identified by|password) "),
    ),
    SecretPattern(
        "bearer",
        rf"(\b{_any_case('(?:bearer|basic)')} +){_LOOKS_RANDOM}",
        rf"\1{GONE}",
        _any_case("(?:bearer|basic) "),
    ),
    SecretPattern(
        "URL with a password", r"(://[^ \t\r\n/:@\"'<>\\]*:)[^ \t\r\n/?#,\"'<>\\]+@", rf"\1{GONE}@", r"://[^/ ]*@"
    ),
    SecretPattern(
        "webhook address",
        r"(hooks\.slack\.com/(?:services|workflows|triggers)/|hooks\.zapier\.com/hooks/catch/|discord(?:app)?\.com/api/webhooks/"
        r"|webhook\.office\.com/webhookb2/|hook\.[a-z0-9]+\.make\.com/)[A-Za-z0-9@_/-]+",
        rf"\1{GONE}",
        r"hooks?\.|/webhook",
    ),
    SecretPattern("function key", r"([?&]code=)[A-Za-z0-9_%/+=-]{20,}", rf"\1{GONE}", r"[?&]code="),
    SecretPattern("JWT", r"\b(eyJ)[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.?[A-Za-z0-9_-]*", rf"\1{GONE}", "eyJ"),
    SecretPattern("AWS key id", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", rf"\1{GONE}", "(?:AK|AS)IA"),
    SecretPattern(
        "GitHub, GitLab, npm, PyPI",
        r"\b(gh[pousr]_|github_pat_|glpat-|npm_|pypi-)[A-Za-z0-9_-]{20,}",
        rf"\1{GONE}",
        "gh[pousr]_|_pat_|glpat-|npm_|pypi-",
    ),
    SecretPattern("Slack", r"\b(xox[a-z]-|xapp-)[A-Za-z0-9-]{10,}", rf"\1{GONE}", "xox[a-z]-|xapp-"),
    SecretPattern("Stripe", r"\b([srp]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,}", rf"\1{GONE}", "_live_|_test_|whsec_"),
    SecretPattern("Google", r"\b(AIza|ya29\.)[A-Za-z0-9_-]{30,}", rf"\1{GONE}", r"AIza|ya29\."),
    SecretPattern(
        "OpenAI, Anthropic",
        r"\b(sk-(?:(?:proj|ant|svcacct|admin|or|lf)-)?)(?:[A-Za-z0-9]{20,}|[A-Za-z0-9]*[0-9][A-Za-z0-9]*[_-][A-Za-z0-9_-]{20,})[A-Za-z0-9_-]*",
        rf"\1{GONE}",
        "sk-",
    ),
    SecretPattern("Telegram", r"((?:\b|bot)[0-9]{8,10}:)AA[A-Za-z0-9_-]{30,}", rf"\1{GONE}", "[0-9]:AA"),
    SecretPattern("SendGrid", r"\b(SG\.)[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", rf"\1{GONE}", r"SG\."),
    SecretPattern(
        "Shopify, HubSpot",
        r"\b(shp(?:at|ca|pa|ss)_|pat-[a-z]{2}[0-9]-)[A-Fa-f0-9-]{30,}",
        rf"\1{GONE}",
        "shp(?:at|ca|pa|ss)_|pat-",
    ),
)
"""Every pattern, in the order in which they are applied."""

EMAIL: Final = SecretPattern(
    "e-mail",
    r"[^\x00-\x20\"'`<>()\[\]{},;:\\/|=&?%*@]{1,64}(@|%40)((?:[A-Za-z0-9-]|[^\x00-\xa0])+(?:\.(?:[A-Za-z0-9-]|[^\x00-\xa0])+)*\.[A-Za-z]{2,24})\b",
    r"…\1\2",
    "@|%40",
)
"""The domain stays: it says which customer or supplier it was about, not who."""


def redact(text: str, *, emails: bool = False, personal_fields: Sequence[str] = ()) -> str:
    """`text` without its secrets, and without e-mail addresses and the values of personal fields where asked."""
    patterns, guard = _compiled(emails, tuple(personal_fields))
    if not guard.search(text):
        return text
    for pattern, replacement in patterns:
        text = pattern.sub(replacement, text)
    return text


def redact_sql(column: str, *, emails: bool, personal_fields: Sequence[str]) -> str:
    """The DuckDB expression that does to `column` (any VARCHAR expression) what `redact` does to a text; null stays null."""
    patterns = _patterns(emails, tuple(personal_fields))
    expression = column
    for pattern in patterns:
        expression = f"regexp_replace({expression}, {_literal(pattern.pattern)}, {_literal(pattern.replacement)}, 'g')"
    guard = needs_redaction_sql(column, emails=emails, personal_fields=personal_fields)
    return f"case when {guard} then {expression} else {column} end"


def needs_redaction_sql(column: str, *, emails: bool, personal_fields: Sequence[str]) -> str:
    """A cheap DuckDB condition that holds for every text that `redact_sql` would change (and for some that it would not)."""
    return f"regexp_matches({column}, {_literal(_guard(_patterns(emails, tuple(personal_fields))))})"


def _patterns(emails: bool, personal_fields: tuple[str, ...]) -> tuple[SecretPattern, ...]:
    return (*_personal(personal_fields), *SECRET_PATTERNS, *((EMAIL,) if emails else ()))


def _personal(fields: tuple[str, ...]) -> Iterator[SecretPattern]:
    """The values of fields of these names: in JSON (also escaped, also one object or list deep), in a repr, after `=` or `:`."""
    if not fields:
        return
    name = (
        "(?:"
        + "|".join(_any_case(_escaped(field)) for field in sorted(set(fields), key=lambda field: (-len(field), field)))
        + ")"
    )
    for form, pattern, replacement in (
        ("double", rf"(\"{name}\"{_WS}:{_WS}\"){_IN_DOUBLE}", rf"\1{PERSONAL}"),
        ("single", rf"('{name}'{_WS}:{_WS}'){_IN_SINGLE}", rf"\1{PERSONAL}"),
        ("mixed", rf"('{name}'{_WS}:{_WS}\"){_IN_DOUBLE}", rf"\1{PERSONAL}"),
        ("escaped", rf"(\\\"{name}\\\"{_WS}:{_WS}\\\"){_IN_ESCAPED}", rf"\1{PERSONAL}"),
        ("escaped again", rf"(\\{{2,}}\"{name}\\{{2,}}\"{_WS}:{_WS}\\{{2,}}\"){_IN_DEEPER}", rf"\1{PERSONAL}"),
        ("nested", rf"(\\*[\"']{name}\\*[\"']{_WS}:{_WS})(?:\{{[^{{}}]*\}}|\[[^\[\]]*\])", rf'\1"{PERSONAL}"'),
        ("number", rf"([\"']{name}\\*[\"']{_WS}:{_WS})-?[0-9][0-9.]*", rf'\1"{PERSONAL}"'),
        ("assigned", rf"(\b{name}=)[^ \t\r\n&;,\"'<>\\)}}]+", rf"\1{PERSONAL}"),
        ("assigned in quotes", rf"(\b{name}=[\"'])[^\"'\r\n\\]+", rf"\1{PERSONAL}"),
        ("header", rf"(\b{name}: )[^\r\n;,\"'<>\\]+", rf"\1{PERSONAL}"),
    ):
        yield SecretPattern(f"personal field, {form}", pattern, replacement, name)


def _escaped(field: str) -> str:
    """A field name as a pattern. Not `re.escape`: `\\ ` and the like are no RE2."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", lambda char: "\\" + char[0], field.lower())


def _guard(patterns: tuple[SecretPattern, ...]) -> str:
    return "|".join(dict.fromkeys(pattern.hint for pattern in patterns))


@lru_cache(maxsize=16)
def _compiled(
    emails: bool, personal_fields: tuple[str, ...]
) -> tuple[list[tuple[re.Pattern[str], str]], re.Pattern[str]]:
    patterns = _patterns(emails, personal_fields)
    compiled = [(re.compile(pattern.pattern, re.ASCII), pattern.replacement) for pattern in patterns]
    return compiled, re.compile(_guard(patterns), re.ASCII)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
