"""Rules and templates become one Python function each, run over all rows of a chunk.

    def bits(rows, c0):                  one parameter for each attribute that is read: the same for all rows
        out = []
        for r in rows:
            v0 = r.f0                    each field that is read, once (`Projection.bind`)
            v1 = severity_of(v0, …)
            out.append((1 if v1 >= 17 else 0) | (2 if c0 == "stderr" else 0))
        return out

Where every field that is read is one attribute of the row, and every level and time a text that is known, a
comprehension tells the same in half the time. It raises where it meets anything else, and then the loop is asked:

    return [expression for r in rows for v0 in [r.f0] for v1 in [levels[r.f1]]]

The expressions come from `Rule.source` and `Template.source`, which the slow way compiles as well.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from logrouter import severity, times, times_at_once
from logrouter.chain import Chain
from logrouter.event import MARKS, PLAIN
from logrouter.facts import Facts
from logrouter.projection import Projection, Row
from logrouter.references import MISSING, MOMENTS, Field, Meta, Reference, Resource, Severity, Time
from logrouter.rules import Rule
from logrouter.templates import Template

if TYPE_CHECKING:
    from logrouter.steps._keys import Key

UNTOLD = Meta("time")
"""When an event happened that does not tell it (`Facts.time_ns`). Nobody else can name it so."""


class Generated:
    """A generated function, and which attributes it takes beside the rows."""

    def __init__(self, function: Callable[..., list[Any]], metas: Sequence[Meta], source: str) -> None:
        self.function = function
        self.source = source
        """The Python text, for those who debug it."""
        self._names = [meta.name for meta in metas]
        self.reads_moments = any(meta in (UNTOLD, *MOMENTS) for meta in metas)
        """Whether it takes what is another value for each chunk."""
        self.reads_marks = any(name in MARKS for name in self._names)

    def constants(self, facts: Facts) -> tuple[Any, ...]:
        """The values of its attributes, which are the same for all rows of a chunk."""
        get = facts.attributes.get
        moments = {"received": facts.received_ns, "time": facts.time_ns}
        return tuple(moments[name] if name in moments else get(name, MISSING) for name in self._names)

    def __call__(self, rows: Sequence[Row], facts: Facts, flags: bytes = b"") -> list[Any]:
        """One result a row. `flags`: those of the events, which may have attributes of their own (`meta.partial` …)."""
        results = self.function(rows, *self.constants(facts))
        if self.depends_on(flags):
            for place, flag in enumerate(flags):
                if flag not in PLAIN:
                    results[place : place + 1] = self(rows[place : place + 1], facts.marked(flag))
        return results

    def depends_on(self, flags: bytes) -> bool:
        """Whether more than the rows and the facts decides, as some of the events have marks, which are read."""
        return self.reads_marks and bool(flags.translate(None, PLAIN))


class Generator:
    """Makes functions over the rows of one projection."""

    def __init__(self, projection: Projection, resource: Mapping[str, str]) -> None:
        self._projection = projection
        self._resource = resource

    def bits(self, rules: Sequence[Rule], keys: Sequence[str]) -> Generated:
        """For each row an int: bit n tells whether rule n holds; after the rules, whether the row has the key."""
        fields = [Field((key,)) for key in keys]
        scope = _Scope(self._projection, self._resource, [*(r for rule in rules for r in rule.references), *fields])
        tests = [rule.source(scope.name, scope.constants) for rule in rules]
        tests += [f"{scope.name(field)} is not MISSING" for field in fields]
        terms = [f"({1 << number} if {test} else 0)" for number, test in enumerate(tests)]
        return scope.function("bits", " | ".join(terms) or "0")

    def verdicts(self, chain: Chain) -> Generated:
        """For each row what a chain of steps will do with the event: see `chain`."""
        references = [reference for rule in chain.conditions for reference in rule.references]
        scope = _Scope(self._projection, self._resource, references)
        tests = {rule: rule.source(scope.name, scope.constants) for rule in chain.conditions}
        return scope.function("verdicts", chain.verdict_source(tests))

    def keys(self, key: Key) -> Generated:
        """For each row the key by which a step knows the event. It raises NeedsDocument where a row does not tell."""
        scope = _Scope(self._projection, self._resource, key.references)
        return scope.function("keys", key.source(scope.name, scope.constants))

    def column(self, template: Template, segment: bool) -> Callable[[Sequence[Row], Facts, bytes], list[str] | str]:
        """The text of a template for each row; one text where it is the same for all."""
        if template.is_time:
            scope = _Scope(self._projection, self._resource, [Time()], time_as_text=True)
            return scope.function("stamps", scope.name(Time()), times_at_once.texts)
        scope = _Scope(self._projection, self._resource, template.references)
        source = template.source(scope.name, scope.constants, segment=segment)
        generated = scope.function("column", source, quick=scope.name_of_level() if template.is_severity else None)
        if template.holds_seconds is not None:
            return self._dated(generated, template.holds_seconds * 1_000_000_000)
        if scope.reads_rows or generated.reads_marks:
            return generated
        return lambda rows, facts, flags: str(generated(rows[:1], facts)[0])

    def _dated(self, generated: Generated, holds_ns: int) -> Callable[[Sequence[Row], Facts, bytes], list[str] | str]:
        """A column that changes with the date: events that came together are nearly always of the same one."""
        times_of = self._times()

        def column(rows: Sequence[Row], facts: Facts, flags: bytes) -> list[str] | str:
            moments = times_of(rows, facts)
            is_one = moments and min(moments) // holds_ns == max(moments) // holds_ns
            return str(generated(rows[:1], facts)[0]) if is_one else generated(rows, facts)

        return column

    def times(self) -> Callable[[Sequence[Row], Facts], array[int]]:
        """When each event happened, as `times.of` has it: nanoseconds since 1970, in 64 bits."""
        times_of = self._times()
        return lambda rows, facts: _in_64_bits(times_of(rows, facts))

    def _times(self) -> Generated:
        scope = _Scope(self._projection, self._resource, [Time()])
        return scope.function("times", scope.name(Time()), times_at_once.nanoseconds)


class _Scope:
    """The variables of one generated function."""

    def __init__(
        self,
        projection: Projection,
        resource: Mapping[str, str],
        references: Iterable[Reference],
        *,
        time_as_text: bool = False,
    ) -> None:
        self._projection = projection
        self._time_as_text = time_as_text
        self.constants: dict[str, object] = {"MISSING": MISSING}
        self._names: dict[Reference, str] = {}
        self._before: list[str] = []
        """Statements that are the same for all rows."""
        self._statements: list[str] = []
        self._clauses: list[str] | None = []
        """Of the comprehension; None where it could not tell the same."""
        self._first_time: str | None = None
        """The expression that reads of a row what should be the event's time, if one can."""
        self._metas: list[Meta] = []
        for reference in sorted(set(references), key=repr):
            self._add(reference, resource)

    @property
    def reads_rows(self) -> bool:
        """Whether the result depends on more than the attributes."""
        return bool(self._statements)

    def name(self, reference: Reference) -> str:
        """The variable that holds a reference's value."""
        return self._names[reference]

    def function(
        self,
        name: str,
        expression: str,
        at_once: Callable[[list[Any]], Any] | None = None,
        quick: str | None = None,
    ) -> Generated:
        """Compile: one result of `expression` for each row.

        `at_once`: it is the time, which this may tell of all. `quick`: what tells the same of a usual row `r`.
        """
        parameters = ", ".join(["rows", *(self._names[meta] for meta in self._metas)])
        quickly = [*self._asking(at_once), *self._comprehension(expression, quick)]
        lines = [f"def {name}({parameters}):", *_indented([*self._before, *quickly])]
        lines += ["    out = []", "    for r in rows:"]
        lines += _indented(_indented(self._statements))
        lines += [f"        out.append({expression})", "    return out"]
        source = "\n".join(lines)
        namespace = dict(self.constants)
        exec(compile(source, f"<generated {name}>", "exec"), namespace)
        return Generated(namespace[name], self._metas, source)  # type: ignore[arg-type]

    def _asking(self, at_once: Callable[[list[Any]], Any] | None) -> list[str]:
        if at_once is None or self._first_time is None:
            return []
        self.constants["at_once"] = at_once
        return [f"found = at_once([{self._first_time} for r in rows])", "if found is not None:", "    return found"]

    def name_of_level(self) -> str | None:
        """The expression that gives the name of a usual row's level, if one can."""
        attribute = self._projection.attribute(severity.FIELDS[0])
        self.constants["level_names"] = severity.NAME_OF_SPELLING
        return attribute and f"level_names[{attribute}]"

    def _comprehension(self, expression: str, quick: str | None) -> list[str]:
        if self._clauses is None:
            return []
        of_each = f"{quick} for r in rows" if quick else " ".join([f"{expression} for r in rows", *self._clauses])
        return ["try:", f"    return [{of_each}]", "except (KeyError, TypeError, ValueError):", "    pass"]

    def _quickly(self, variable: str, *expressions: str | None) -> None:
        """How the comprehension sets a variable: to one expression after the other. None: it cannot."""
        if self._clauses is not None:
            clauses = [f"for {variable} in [{expression}]" for expression in expressions if expression is not None]
            self._clauses = [*self._clauses, *clauses] if len(clauses) == len(expressions) else None

    def _add(self, reference: Reference, resource: Mapping[str, str]) -> str:
        if reference in self._names:
            return self._names[reference]
        number = len(self._names)
        variable = self._names[reference] = f"v{number}"
        match reference:
            case Field():
                self._statements += self._projection.bind(reference, variable, self.constants)
                self._quickly(variable, self._projection.attribute(reference))
            case Meta():
                self._metas.append(reference)
            case Resource(key):
                self.constants[variable] = resource.get(key, MISSING)
            case Severity():
                self._statements += self._level(variable)
            case Time():
                self._statements += self._time(variable, self._add(UNTOLD, resource))
        return variable

    def _field(self, field: Field, variable: str) -> tuple[str, list[str]]:
        """The variable that holds a field's value, and the statements that set it where it is not set yet."""
        if field in self._names:
            return self._names[field], []
        return variable, self._projection.bind(field, variable, self.constants)

    def _fields(self, fields: Iterable[Field], variable: str) -> tuple[list[str], list[list[str]]]:
        """The same of several."""
        found = [self._field(field, f"{variable}_{number}") for number, field in enumerate(fields)]
        return [name for name, _ in found], [statements for _, statements in found]

    # Nearly always the first field that is there says it, as a text that is known: the others need not be read.

    def _level(self, variable: str) -> list[str]:
        (first, *others), (read_first, *read_others) = self._fields(severity.FIELDS, variable)
        levels = severity.SPELLINGS  # not of numbers: True is not syslog's 1
        self.constants |= {"levels": levels, "known_level": levels.get, "severity_of": severity.of}
        attribute = self._projection.attribute(severity.FIELDS[0])
        self._quickly(variable, attribute and f"levels[{attribute}]")
        return [
            *read_first,
            f"{variable} = known_level({first}) if {first}.__class__ is str else None",
            f"if {variable} is None:",
            *_indented(chain.from_iterable(read_others)),
            f"    {variable} = severity_of({', '.join([first, *others])})",
        ]

    def _time(self, variable: str, untold: str) -> list[str]:
        fields, reads = self._fields(times.FIELDS, variable)
        if self._time_as_text:
            known = {"whole": times.WHOLE_SECOND_TEXTS, "tails": times.TAIL_TEXTS, "time_of": times.text_of}
            otherwise = f"{untold}_text"
            self._before.append(f"{otherwise} = format_time({untold})")
        else:
            known = {"whole": times.WHOLE_SECONDS, "tails": times.TAILS, "time_of": times.of}
            otherwise = untold
        self.constants |= {**known, "format_time": times.format_rfc3339}
        self._time_quickly(variable, otherwise)
        slowly = [
            *_indented(chain.from_iterable(reads[1:])),
            f"    {variable} = time_of({', '.join([untold, *fields])})",
        ]
        first_there: list[str] = []
        for field, read in reversed(list(zip(fields, reads, strict=True))):
            rest = [f"if {variable} is MISSING:", *_indented(first_there)] if first_there else []
            first_there = [*read, f"{variable} = {field}", *rest]
        return [
            *first_there,
            f"if {variable}.__class__ is str:",
            "    try:",
            f"        {variable} = whole[{variable}[:19]] + tails[{variable}[19:]]",
            "    except ValueError:",
            *_indented(slowly),
            f"elif {variable} is MISSING:",
            f"    {variable} = {otherwise}",
            "else:",
            *slowly,
        ]

    def _time_quickly(self, variable: str, otherwise: str) -> None:
        *others, last = map(self._projection.attribute, times.FIELDS)
        if None in (*others, last):
            self._clauses = None
            return
        self._first_time = " ".join([*(f"{found} if {found} is not MISSING else" for found in others), str(last)])
        known = f"whole[{variable}[:19]] + tails[{variable}[19:]]"
        self._quickly(variable, self._first_time, f"{otherwise} if {variable} is MISSING else {known}")


def _indented(statements: Iterable[str]) -> list[str]:
    return [f"    {statement}" for statement in statements]


def _in_64_bits(times_ns: Iterable[int]) -> array[int]:
    """Years before 1678 and after 2261 do not fit: their times are as near as can be."""
    try:
        return array("q", times_ns)
    except OverflowError:
        return array("q", [min(max(time_ns, -(2**63)), 2**63 - 1) for time_ns in times_ns])
