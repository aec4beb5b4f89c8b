"""Rules: conditions on an event, in a small and safe part of Python's expressions.

    severity >= "warning" and http.status in (500, 502, 503) and not matches(path, r"^/health")

A rule is parsed by `ast`, checked, and compiled to the text of a Python expression over variables, one for
each reference that it reads. The same text serves the fast way, where routing binds the variables from a
projection made in C, and the slow way, `Rule.test`, where they are looked up in a parsed document.

    text ──scanning──▶ tokens ──parsing──▶ ast ──compiling──▶ Code: Python text and references, in a row
            │                     │                  │
            └─── ExpressionError, at the character, with what was probably meant

What the pieces own: `scanning` what a typing mistake looks like before Python's parser sees it; `parsing`
the way from text to `ast`; `compiling` what is allowed and what it means; `comparing` the code of comparisons,
`semantics` those that Python has no operator for, `scales` the words for severities and times; `functions` the
table of functions; `patterns`, `backtracking`, `cost` and `bounded` regular expressions of bounded cost; `naming`
references; `code` what all is compiled to. None is imported before the first rule is parsed: a config without rules
pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from logrouter.documents import Document
from logrouter.references import Reference
from logrouter.values import ByText

if TYPE_CHECKING:
    from logrouter.facts import Facts
    from logrouter.rules.code import Code

__all__ = ["Rule", "parse_reference"]

Test = Callable[[Document, "Facts"], bool]


class Rule(ByText):
    """A condition, ready to be compiled into a larger function or asked of one event. Immutable."""

    __slots__ = ("_code", "_test", "memoisable", "references")

    def __init__(self, text: str, code: Code, references: frozenset[Reference], memoisable: bool) -> None:
        self.text = text
        self.references = references
        """All that it reads."""
        self.memoisable = memoisable
        """Whether values that are equal and hash equal in Python give the same outcome, so that a table may
        remember it; False also where remembering cannot pay, as with `time`."""
        self._code = code
        self._test: Test | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse and check a rule. Raises ExpressionError at the character that is wrong."""
        from logrouter.rules.compiling import compile_rule

        code, references, memoisable = compile_rule(text)
        return cls(text, code, references, memoisable)

    def source(self, name: Callable[[Reference], str], constants: dict[str, object]) -> str:
        """The rule as the text of a Python expression that gives True or False, and never raises.

        `name` gives the variable that holds a reference's value. The names of the functions and values that
        the expression uses besides are added to `constants`, the globals of the function it is put into.
        """
        from logrouter.rules.code import render

        return render(self._code, name, constants)

    def test(self, document: Document, facts: Facts) -> bool:
        """Whether the event is meant: the slow way, from its parsed document."""
        if self._test is None:
            from logrouter.rules.code import compile_reader

            self._test = compile_reader(self.source)
        return self._test(document, facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return Rule.parse, (self.text,)


def parse_reference(text: str) -> Reference:
    """One reference: `http.status`, `event["odd-name"]`, `meta.stream`, `resource["service.name"]`, `severity`, `time`.

    Raises ExpressionError.
    """
    from logrouter.rules.naming import parse_reference as parse

    return parse(text)
