"""Any CSV, JSON or Parquet file with a run (or a notice) per record, through a profile in `aftershock.toml`.

    [mappings.erp]
    tool = "erp"
    delimiter = ";"
    time_format = "%d.%m.%Y %H:%M"
    time_zone = "Europe/Berlin"
    fields = { native_id = "Auftrag Nr.", started_at = "Beginn", status = ["Zustand", "Status"] }
    status = { "erledigt" = "succeeded", "abgebrochen" = "failed" }
    payload = ["Kunde"]
    constants = { automation = "Rechnungslauf" }

`fields` and `constants` take the columns that `CANONICAL` names for the profile's table, a constant standing in where the file has
nothing. In JSON, `records` is the path to the array of records, `a.b` is `b` inside `a`, `a.0.b` is `b` inside its first item, and
`a."b.c"` a name with a dot in it. What a file says and a profile cannot read makes that record a reject.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aftershock.adapters.base import CANONICAL, CANONICAL_TYPES, TIME, Adapter, Export, Fidelity, Sample, StatusTable
from aftershock.errors import AdapterError, did_you_mean
from aftershock.model import FAILURES, ROLES, STATUS_WORDS
from aftershock.project import Mapping as Profile

_PART: Final = re.compile(r'"([^"]*)"|([^.]+)')
_PER_UNIT: Final = {"s": "", "ms": " / 1000", "min": " * 60"}


def adapter_of_mapping(name: str, profile: Profile) -> Adapter:
    """The adapter that a profile describes. Raises `AdapterError` naming the field or constant that there is not."""
    known = tuple(field for field in CANONICAL[profile.table] if field != "payload")
    for part, given in (("fields", profile.fields), ("constants", profile.constants)):
        for field in given:
            if field not in known:
                there_are = f"{did_you_mean(field, known)} There are: {', '.join(known)}"
                what = profile.table.removesuffix("s")
                raise AdapterError(f"mapping:{name}", f"{part}.{field}", f"is no column of a {what}.{there_are}")
    for field, words in (("status", STATUS_WORDS), ("role", ROLES)):
        word = profile.constants.get(field, words[0])
        if word not in words:
            raise AdapterError(f"mapping:{name}", f"constants.{field}", f"{word!r} is not one of {', '.join(words)}")
    forms = [_Form("csv", "", name, profile), _Form("json", "", name, profile), _Form("parquet", "", name, profile)]
    if profile.records:
        forms.append(_Form("json", profile.records, name, profile))
    return Adapter(
        name=f"mapping:{name}",
        tool=profile.tool,
        docs="aftershock.toml",
        about=f"The profile [mappings.{name}] of aftershock.toml.",
        fidelity=_fidelity(profile),
        status=StatusTable(_words(profile)),
        exports=tuple(form.export() for form in forms),
        version=hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest()[:12],
    )


def _words(profile: Profile) -> dict[str | tuple[str | None, ...] | None, str]:
    """A file may use our own words; what the profile says of a word goes first."""
    return {said: profile.status.get(said, said) for said in (*STATUS_WORDS, *profile.status)}


def _fidelity(profile: Profile) -> Fidelity:
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

    def __init__(self, form: str, records: str, name: str, profile: Profile) -> None:
        self.form, self.records, self.name, self.profile = form, records, name, profile
        self.fields = {field: _several(columns) for field, columns in profile.fields.items()}
        self.only = {column: _several(words) for column, words in profile.only.items()}
        others = (*profile.payload, *profile.status_columns, *self.only, *filter(None, [profile.open_without]))
        self.uses = Counter((*(column for columns in self.fields.values() for column in columns), *others))

    def export(self) -> Export:
        delimiter = self.profile.delimiter if self.form == "csv" else None

        def is_so_delimited(sample: Sample) -> bool:
            return sample.text == delimiter

        requires, one_of = self.needed()
        return Export(
            name=f"{self.form}{' in ' + self.records if self.records else ''}",
            form=self.form,  # type: ignore[arg-type]  # one of three words that Export knows
            records=self.records,
            columns=self.columns(),
            select=self.select(),
            requires=requires,
            one_of=one_of,
            where=self.is_of_kind if self.form == "json" else None,
            claims=is_so_delimited if delimiter else None,
            time_zone=self.profile.time_zone,
            delimiter=delimiter,
        )

    def needed(self) -> tuple[frozenset[str], frozenset[str]]:
        """What a file must have to be ours: every column that no other can stand in for, and one of those for the id."""
        if self.profile.requires:
            return frozenset(self.profile.requires), frozenset()
        single = {columns[0] for columns in self.fields.values() if len(columns) == 1}
        wanted = {*single, *self.profile.payload, *self.profile.status_columns, *self.only}
        ids = self.fields["native_id" if self.profile.table == "runs" else "notice"]
        one_of = ids if len(ids) > 1 else ()
        return frozenset(map(self.asked, wanted)), frozenset(map(self.asked, one_of))

    def asked(self, column: str) -> str:
        """A column as recognition asks for it: it does not look into arrays."""
        if self.form != "json":
            return column
        parts = _parts(column)
        plain = next((at for at, part in enumerate(parts) if part.lstrip("-").isdigit() or "." in part), len(parts))
        return ".".join(parts[:plain])

    def is_of_kind(self, record: Mapping[str, Any]) -> bool:
        """Whether the record has the one word in a column that all records of this kind have."""
        return all(
            _inside(record, column) == words[0].casefold()
            for column, words in self.only.items()
            if isinstance(self.profile.only[column], str) and words[0]
        )

    def columns(self) -> dict[str, str]:
        """Everything is read as text, but for a column that is a time and nothing else: bad ones are told apart early."""
        columns: dict[str, str] = {}
        for column in self.uses:
            top, nested = self.path(column)
            columns[top] = "JSON" if nested or columns.get(top) == "JSON" else "VARCHAR"
        for field, given in self.fields.items():
            if _is(field, "TIMESTAMPTZ") and self.is_time(given):
                columns[given[0]] = TIME
        return columns

    def select(self) -> dict[str, str]:
        select = {self.profile.table: self.rows(), "rejects": self.rejects()}
        if self.only:
            why = ", ".join(
                f"{_text(f'{column} is ')} || coalesce({self.text(column)}, 'empty')" for column in self.only
            )
            select["set_aside"] = (
                f"select place, concat_ws(', ', {why}) as reason from records where not {self.counts()}"
            )
        return select

    def rows(self) -> str:
        """A row of the profile's table for each record that counts."""
        given = {field: self.value(field) for field in dict.fromkeys((*self.fields, *self.profile.constants))}
        if self.profile.table == "runs":
            self.complete(given)
        if self.profile.payload:
            pairs = (f"{_text(column)}, {_json(self.text(column))}" for column in self.profile.payload)
            given["payload"] = f"json_object({', '.join(pairs)})"
        values = ", ".join(f"{value} as {_name(field)}" for field, value in given.items())
        return f"select place, {values} from records where {self.counts()}"

    def complete(self, given: dict[str, str]) -> None:
        """What a run has that is made of several columns."""
        given.setdefault("automation", _text(self.name))
        given["automation"] = f"coalesce({given['automation']}, {_text(self.name)})"
        word = (
            given.pop("status")
            if "status" in self.fields
            else self.joined_status()
            if self.profile.status_columns
            else None
        )
        if word:  # the file's word; ours is what the profile makes of it
            if self.profile.status_columns and "status" in self.profile.constants:
                word = f"coalesce({word}, {given.pop('status')})"
            given.setdefault("status_raw", word)
        if self.profile.open_without:
            failures = _keys(said for said, ours in _words(self.profile).items() if ours in FAILURES)
            is_open = f"{self.text(self.profile.open_without)} is null and coalesce({_key(word or 'null')} not in ({failures}), true)"
            given["status"] = f"case when {is_open} then 'running' else {given.get('status', 'null')} end"
        if "started_at" not in given and {"ended_at", "duration_s"} <= given.keys():
            given["started_at"] = f"{given['ended_at']} - to_milliseconds({given['duration_s']} * 1000)"

    def joined_status(self) -> str:
        """The words of several columns as the profile writes them, `a|b`; else the first of them that it knows by itself."""
        words = [self.text(column) for column in self.profile.status_columns]
        listed = ", ".join(f"coalesce({word}, '')" for word in words)
        joined = f"nullif(rtrim(concat_ws('|', {listed}), '|'), '')"
        known = _keys(_words(self.profile))
        alone = " ".join(f"when {_key(word)} in ({known}) then {word}" for word in words)
        return f"case when {_key(joined)} in ({known}) then {joined} {alone} else {joined} end"

    def counts(self) -> str:
        """The SQL for whether a record is one that the profile is about."""
        tests = []
        for column, words in self.only.items():
            said = [f"lower({self.text(column)}) = {_text(word.casefold())}" for word in words if word]
            empty = [f"{self.text(column)} is null"] if "" in words else []
            tests.append(f"coalesce({' or '.join([*said, *empty])}, false)")
        return f"({' and '.join(tests)})" if tests else "true"

    def value(self, field: str) -> str:
        """The SQL for a canonical field: of its columns, with its constant where they are empty."""
        columns, constant = self.fields.get(field), self.profile.constants.get(field)
        if columns is None:
            text = _text(constant or "")
            return f"as_time({text})" if _is(field, "TIMESTAMPTZ") else f"[{text}]" if field == "tags" else text
        value = self.typed(field, columns)
        if constant is None:
            return value
        fallback = f"as_time({_text(constant)})" if _is(field, "TIMESTAMPTZ") else _text(constant)
        return f"coalesce({value}, {fallback})"

    def typed(self, field: str, columns: tuple[str, ...]) -> str:
        text = self.first(columns)
        if _is(field, "TIMESTAMPTZ"):
            return _name(columns[0]) if self.is_time(columns) else self.time(text)
        if _is(field, "INTEGER", "BIGINT"):
            return f"try_cast({text} as BIGINT)"
        if field == "duration_s":
            return self.seconds(text)
        if field == "role":
            roles = {role: self.profile.roles.get(role, role) for role in (*ROLES, *self.profile.roles)}
            ours = " ".join(f"when {_text(said.casefold())} then {_text(word)}" for said, word in roles.items())
            return f"case lower({text}) {ours} end"
        if field == "tags":
            listed = f"list_filter(list_transform(string_split_regex({text}, '[,;|]'), lambda tag: trim(tag)), lambda tag: tag <> '')"
            return f"case when {text} like '[%' then coalesce(try(from_json({text}, '[\"VARCHAR\"]')), {listed}) else {listed} end"
        return text

    def seconds(self, text: str) -> str:
        """A duration in the profile's unit, or as hours, minutes and seconds."""
        clock = f"epoch(try_cast({text} as INTERVAL))"
        return f"case when contains({text}, ':') then {clock} else try_cast({text} as DOUBLE){_PER_UNIT[self.profile.duration_unit]} end"

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
        for field, columns in self.fields.items():
            text = self.first(columns)
            if _is(field, "TIMESTAMPTZ") and not self.is_time(columns):
                form = self.profile.time_format
                reason, wrong = (
                    f"is no time of the form {form}" if form else "is no time",
                    f"not no_time({text}) and {self.time(text)} is null",
                )
            elif _is(field, "INTEGER", "BIGINT"):
                reason, wrong = "is no whole number", f"not regexp_full_match({text}, '[+-]?[0-9]{{1,18}}([.]0*)?')"
            elif field == "duration_s":
                reason, wrong = "is no number", f"{self.seconds(text)} is null"
            else:
                continue
            found.append(
                f"""select place, {_text(" / ".join(columns))}, left({text}, 200), {_text(reason)} from records
                where {text} is not null and {wrong} and {self.counts()}"""
            )
        return " union all ".join(found)

    def first(self, columns: tuple[str, ...]) -> str:
        """The SQL for the text of the first column that has any."""
        texts = [self.text(column) for column in columns]
        return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"

    def text(self, column: str) -> str:
        """The SQL for a column's text, null where it is empty."""
        top, nested = self.path(column)
        if nested:
            return f"nullif(trim(json_extract_string({_name(top)}, {_text(nested)})), '')"
        if self.columns_of_json(top):
            return f"nullif(trim({_name(top)}->>'$'), '')"
        return f"nullif(trim({_name(top)}::VARCHAR), '')"

    def path(self, column: str) -> tuple[str, str]:
        """A column and, in JSON, the path into it."""
        if self.form != "json" or "." not in column.strip("."):
            return column, ""
        top, *inside = _parts(column)
        steps = (f"[{part.replace('-', '#-')}]" if part.lstrip("-").isdigit() else f".{_name(part)}" for part in inside)
        return top, "$" + "".join(steps) if inside else ""

    def columns_of_json(self, top: str) -> bool:
        return any(self.path(column)[0] == top and self.path(column)[1] for column in self.uses)

    def is_time(self, columns: tuple[str, ...]) -> bool:
        return (
            self.profile.time_format is None
            and len(columns) == 1
            and self.uses[columns[0]] == 1
            and not self.path(columns[0])[1]
            and not self.columns_of_json(columns[0])
        )


def _several(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else columns


def _parts(column: str) -> list[str]:
    """`a."b.c".0` as a, b.c and 0."""
    return [quoted or plain for quoted, plain in _PART.findall(column)] or [column]


def _inside(record: Mapping[str, Any], column: str) -> str:
    """The text at a path of a record, comparable."""
    value: Any = record
    for part in _parts(column):
        value = value.get(part) if isinstance(value, Mapping) else None
    return str(value).casefold()


def _is(field: str, *types: str) -> bool:
    return CANONICAL_TYPES.get(field) in types


def _key(word: str) -> str:
    """The SQL that compares words as `StatusTable` does."""
    return f"translate(lower({word}), '_- ', '')"


def _keys(words: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(_text(StatusTable.key(word)) for word in words)) or "null"


def _json(text: str) -> str:
    """A cell as JSON: what is an object or a list already, stays one, so that keys inside it are found."""
    return f"case when {text} like '{{%' or {text} like '[%' then coalesce(try({text}::JSON), to_json({text})) else to_json({text}) end"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
