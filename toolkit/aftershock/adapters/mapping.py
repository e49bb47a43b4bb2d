"""Any CSV, JSON or Parquet file with a run per record, through a profile in `aftershock.toml`.

    [mappings.erp]
    tool = "erp"
    delimiter = ";"
    time_format = "%d.%m.%Y %H:%M"
    time_zone = "Europe/Berlin"
    fields = { native_id = "Auftrag Nr.", started_at = "Beginn", status = "Zustand" }
    status = { "erledigt" = "succeeded", "abgebrochen" = "failed" }
    payload = ["Kunde"]
    constants = { automation = "Rechnungslauf" }

`fields` and `constants` take the columns that `CANONICAL["runs"]` names, a constant standing in where the file has nothing.
In JSON, `a.b` is `b` inside `a`. What a file says and a profile cannot read makes that record a reject.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections import Counter
from typing import Final

from aftershock.adapters.base import CANONICAL, TIME, Adapter, Export, Fidelity, Sample, StatusTable
from aftershock.errors import AdapterError, did_you_mean
from aftershock.model import STATUS_WORDS
from aftershock.project import Mapping

_FIELDS: Final = tuple(name for name in CANONICAL["runs"] if name != "payload")
_TIMES: Final = frozenset({"queued_at", "started_at", "ended_at", "updated_at"})
_WHOLE: Final = frozenset({"attempt", "items_in", "items_out", "retry_of_attempt", "parent_attempt"})


def adapter_of_mapping(name: str, profile: Mapping) -> Adapter:
    """The adapter that a profile describes. Raises `AdapterError` naming the field or constant that there is not."""
    for part, given in (("fields", profile.fields), ("constants", profile.constants)):
        for field in given:
            if field not in _FIELDS:
                there_are = f"{did_you_mean(field, _FIELDS)} There are: {', '.join(_FIELDS)}"
                raise AdapterError(f"mapping:{name}", f"{part}.{field}", f"is no column of a run.{there_are}")
    word = profile.constants.get("status", "unknown")
    if word not in STATUS_WORDS:
        raise AdapterError(f"mapping:{name}", "constants.status", f"{word!r} is not one of {', '.join(STATUS_WORDS)}")
    return Adapter(
        name=f"mapping:{name}",
        tool=profile.tool,
        docs="aftershock.toml",
        about=f"The profile [mappings.{name}] of aftershock.toml.",
        fidelity=_fidelity(profile),
        # A file may use our own words; what the profile says of a word goes first.
        status=StatusTable({said: profile.status.get(said, said) for said in (*STATUS_WORDS, *profile.status)}),
        exports=tuple(_Form(form, name, profile).export() for form in ("csv", "json", "parquet")),
        version=hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest()[:12],
    )


def _fidelity(profile: Mapping) -> Fidelity:
    known = set(profile.fields)
    return Fidelity(
        attempts="attempt" in known or "retry_of" in known,
        steps=False,
        items=bool(known & {"items_in", "items_out"}),
        trigger="trigger" in known,
        versions="version" in known,
        parents="parent_native_id" in known,
        keys=bool(profile.payload),
        evidence="documented",
        inferred="nothing; the profile says what a column means",
    )


class _Form:
    """A profile over one kind of file: how its columns are read, and the SELECT over them."""

    def __init__(self, form: str, name: str, profile: Mapping) -> None:
        self.form, self.name, self.profile = form, name, profile
        self.uses = Counter((*profile.fields.values(), *profile.payload))

    def export(self) -> Export:
        delimiter = self.profile.delimiter if self.form == "csv" else None

        def is_so_delimited(sample: Sample) -> bool:
            return delimiter is None or sample.text == delimiter

        return Export(
            name=self.form,
            form=self.form,  # type: ignore[arg-type]  # one of three words that Export knows
            columns=self.columns(),
            select={"runs": self.runs(), "rejects": self.rejects()},
            requires=frozenset(self.profile.requires or self.uses),
            claims=is_so_delimited,
            time_zone=self.profile.time_zone,
            delimiter=delimiter,
        )

    def columns(self) -> dict[str, str]:
        """Everything is read as text, but for a column that is a time and nothing else: bad ones are told apart early."""
        columns: dict[str, str] = {}
        for column in self.uses:
            top, nested = self.path(column)
            columns[top] = "JSON" if nested or columns.get(top) == "JSON" else "VARCHAR"
        for field, column in self.profile.fields.items():
            if field in _TIMES and self.is_time(column):
                columns[column] = TIME
        return columns

    def runs(self) -> str:
        given = {field: self.value(field) for field in dict.fromkeys((*self.profile.fields, *self.profile.constants))}
        given.setdefault("automation", _text(self.name))
        given["automation"] = f"coalesce({given['automation']}, {_text(self.name)})"
        if "status" in self.profile.fields:  # the file's word; ours is what the profile makes of it
            word = given.pop("status")
            given.setdefault("status_raw", word)
        if self.profile.payload:
            pairs = (f"{_text(column)}, {_json(self.text(column))}" for column in self.profile.payload)
            given["payload"] = f"json_object({', '.join(pairs)})"
        return f"select place, {', '.join(f'{value} as {_name(field)}' for field, value in given.items())} from records"

    def value(self, field: str) -> str:
        """The SQL for a canonical field: of its column, with its constant where that is empty."""
        column, constant = self.profile.fields.get(field), self.profile.constants.get(field)
        if column is None:
            text = _text(constant or "")
            return f"as_time({text})" if field in _TIMES else f"[{text}]" if field == "tags" else text
        value = self.typed(field, column)
        if constant is None:
            return value
        fallback = f"as_time({_text(constant)})" if field in _TIMES else _text(constant)
        return f"coalesce({value}, {fallback})"

    def typed(self, field: str, column: str) -> str:
        text = self.text(column)
        if field in _TIMES:
            return _name(column) if self.is_time(column) else self.time(text)
        if field in _WHOLE:
            return f"try_cast({text} as BIGINT)"
        if field == "duration_s":
            return f"try_cast({text} as DOUBLE)"
        if field == "tags":
            listed = f"list_filter(list_transform(string_split_regex({text}, '[,;|]'), lambda tag: trim(tag)), lambda tag: tag <> '')"
            return f"case when {text} like '[%' then coalesce(try(from_json({text}, '[\"VARCHAR\"]')), {listed}) else {listed} end"
        return text

    def time(self, text: str) -> str:
        """A time in the profile's format, or in one that `as_time` knows."""
        form = self.profile.time_format
        if form is None:
            return f"as_time({text})"
        parsed = f"try_strptime(trim({text}), {_text(form)})"
        if "%z" not in form and "%Z" not in form:
            parsed = f"timezone({_text(self.profile.time_zone)}, {parsed})"
        if self.form == "parquet":  # there a time may be a time already
            parsed = f"coalesce({parsed}, as_time({text}))"
        return f"case when not no_time({text}) then {parsed} end"

    def rejects(self) -> str:
        """What a column holds that its field cannot take. (Raising would cost a search for the record, for each of them.)"""
        found = ["select 0 as place, '' as field, '' as seen, '' as reason where false"]
        for field, column in self.profile.fields.items():
            text = self.text(column)
            if field in _TIMES and not self.is_time(column):
                form = self.profile.time_format
                reason, wrong = (
                    f"is no time of the form {form}" if form else "is no time",
                    f"not no_time({text}) and {self.time(text)} is null",
                )
            elif field in _WHOLE:
                reason, wrong = "is no whole number", f"not regexp_full_match({text}, '[+-]?[0-9]{{1,18}}([.]0*)?')"
            elif field == "duration_s":
                reason, wrong = "is no number", f"try_cast({text} as DOUBLE) is null"
            else:
                continue
            found.append(
                f"""select place, {_text(column)}, left({text}, 200), {_text(reason)} from records where {text} is not null and {wrong}"""
            )
        return " union all ".join(found)

    def text(self, column: str) -> str:
        """The SQL for a column's text, null where it is empty."""
        top, nested = self.path(column)
        if nested:
            return f"nullif(trim(json_extract_string({_name(top)}, {_text(nested)})), '')"
        if self.columns_of_json(top):
            return f"nullif(trim({_name(top)}->>'$'), '')"
        return f"nullif(trim({_name(column)}), '')"

    def path(self, column: str) -> tuple[str, str]:
        """A column and, in JSON, the path into it."""
        if self.form != "json" or "." not in column.strip("."):
            return column, ""
        top, *inside = column.split(".")
        return top, "$" + "".join(f".{_name(part)}" for part in inside)

    def columns_of_json(self, top: str) -> bool:
        return any(self.path(column)[0] == top and self.path(column)[1] for column in self.uses)

    def is_time(self, column: str) -> bool:
        return (
            self.profile.time_format is None
            and self.uses[column] == 1
            and not self.path(column)[1]
            and not self.columns_of_json(column)
        )


def _json(text: str) -> str:
    """A cell as JSON: what is an object or a list already, stays one, so that keys inside it are found."""
    return f"case when {text} like '{{%' or {text} like '[%' then coalesce(try({text}::JSON), to_json({text})) else to_json({text}) end"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
