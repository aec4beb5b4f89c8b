"""Rules against a second interpreter, which walks Python's tree and knows nothing of the first one's shortcuts."""

from __future__ import annotations

import ast
import ipaddress
import operator
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import severity, times
from logrouter.documents import Document
from logrouter.facts import Facts, resolve
from logrouter.references import MISSING, Reference
from logrouter.rules import Rule, parse_reference

# ── the second interpreter ──


def evaluate(text: str, document: Document, facts: Facts) -> bool:
    return truth(walk(ast.parse(f"({text})", mode="eval").body, document, facts))


def kind(value: Any) -> str:
    if value is MISSING:
        return "missing"
    for name, types in (
        ("boolean", bool), ("null", type(None)), ("number", (int, float, Decimal)), ("string", str), ("list", list)
    ):  # fmt: skip
        if isinstance(value, types):
            return name
    return "object"


def truth(value: Any) -> bool:
    if kind(value) == "missing":
        return False
    return kind(value) == "object" or bool(value)


def equal(left: Any, right: Any) -> bool:
    return kind(left) == kind(right) and kind(left) not in ("missing", "list", "object") and bool(left == right)


def ordered(compare: Any, left: Any, right: Any) -> bool:
    return kind(left) == kind(right) and kind(left) in ("string", "number") and compare(left, right)


def contained(item: Any, container: Any) -> bool:
    if isinstance(container, tuple | list):
        return any(equal(item, element) for element in container)
    return kind(container) == kind(item) == "string" and item in container


FUNCTIONS: dict[str, Any] = {
    "exists": lambda x: x is not MISSING,
    "matches": lambda x, pattern: kind(x) == "string" and re.search(pattern, x) is not None,
    "startswith": lambda x, *texts: kind(x) == "string" and any(x[: len(text)] == text for text in texts),
    "endswith": lambda x, *texts: kind(x) == "string" and any(not text or x[-len(text) :] == text for text in texts),
    "contains": lambda x, *values: any(contained(value, x) for value in values),
    "between": lambda x, low, high: ordered(operator.ge, x, low) and ordered(operator.le, x, high),
    "cidr": lambda x, network: kind(x) == "string" and in_network(x, network),
    "lower": lambda x: x.lower() if kind(x) == "string" else MISSING,
    "upper": lambda x: x.upper() if kind(x) == "string" else MISSING,
    "len": lambda x: len(x) if kind(x) in ("string", "list") else MISSING,
}


def in_network(text: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network)
    except ValueError:
        return False


ORDERS = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}


def walk(node: ast.expr, document: Document, facts: Facts) -> Any:
    def value(part: ast.expr) -> Any:
        return walk(part, document, facts)

    match node:
        case ast.BoolOp():
            return (all if isinstance(node.op, ast.And) else any)(truth(value(part)) for part in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not truth(value(node.operand))
        case ast.UnaryOp():
            return -value(node.operand)
        case ast.Compare():
            operands = [node.left, *node.comparators]
            return all(
                compare(op, *scaled(one, other, value))
                for one, op, other in zip(operands, node.ops, operands[1:], strict=False)
            )
        case ast.Call(func=ast.Name(id=name)):
            subject = value(node.args[0])
            return FUNCTIONS[name](subject, *(scale(node.args[0], argument, value) for argument in node.args[1:]))
        case ast.Constant():
            return node.value
        case ast.Tuple():
            return tuple(value(part) for part in node.elts)
        case ast.Name(id="true" | "false" | "null" as word):
            return {"true": True, "false": False, "null": None}[word]
    return resolve(parse_reference(ast.unparse(node)), document, facts)


def scaled(one: ast.expr, other: ast.expr, value: Any) -> tuple[Any, Any]:
    return scale(other, one, value), scale(one, other, value)


def scale(subject: ast.expr, literal: ast.expr, value: Any) -> Any:
    """A literal beside severity or time stands for a number."""
    found = value(literal)
    if isinstance(subject, ast.Name) and subject.id in ("severity", "time"):
        convert = severity.parse if subject.id == "severity" else times.parse
        return tuple(map(convert, found)) if isinstance(found, tuple) else convert(found)
    return found


def compare(op: ast.cmpop, left: Any, right: Any) -> bool:
    match op:
        case ast.Eq() | ast.NotEq():
            return equal(left, right) is isinstance(op, ast.Eq)
        case ast.In() | ast.NotIn():
            return contained(left, right) is isinstance(op, ast.In)
    return ordered(ORDERS[type(op)], left, right)


# ── rules and documents ──

NAMES = ("a", "b", "a.b", "http.status", 'event["a.b"]', "tags", "meta.stream", "meta.partial", 'resource["a"]')
TEXTS = (
    "",
    "a",
    "error",
    "Error",
    "500",
    "1",
    "é",
    "\u2028",
    '"',
    "10.0.0.1",
    "2026-01-31T00:00:00Z",
    "warn",
    "fd00::1",
)
NUMBERS = (0, 1, -1, 2, 500, 0.0, 1.0, 1.5, -1.5, 1e300, 2**63, 2**64, 10**30)

scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS))
values = st.recursive(
    st.one_of(scalars, st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.just(Decimal("1E+400"))),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "status")), inner, max_size=2)
    ),
    max_leaves=4,
)
documents = st.dictionaries(
    st.sampled_from(("a", "b", "a.b", "http", "http.status", "tags", "level", "severity", "ts", "time")),
    values,
    max_size=6,
)
all_facts = st.builds(
    Facts,
    st.dictionaries(st.sampled_from(("stream", "line")), st.sampled_from(("stderr", "a", 1, 500, True)), max_size=2),
    st.integers(0, 2**62),
    st.dictionaries(st.just("a"), st.sampled_from(TEXTS), max_size=1),
)


def written(value: Any) -> str:
    return (
        {True: "true", False: "false"}[value] if isinstance(value, bool) else "null" if value is None else repr(value)
    )


literals = scalars.map(written)
orderable = st.sampled_from((*NUMBERS, *TEXTS)).map(repr)
names = st.sampled_from(NAMES)
texts = st.sampled_from(TEXTS).map(repr)
computed = st.builds("{}({})".format, st.sampled_from(("lower", "upper", "len")), names)
operands = names | computed
signs = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
levels = st.sampled_from(("'info'", "'warning'", "'E'"))
moments = st.sampled_from(("'2026-01-31T00:00:00Z'", "'1970-01-01'", "'2026-01-31T00:00:00.5Z'"))


def tuples(elements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(elements, max_size=6).map(lambda items: f"({''.join(f'{item},' for item in items)})")


membership = st.sampled_from(("in", "not in"))
conditions = st.one_of(
    operands,
    st.builds("{} {} {}".format, operands, st.sampled_from(("==", "!=")), literals),
    st.builds("{} {} {}".format, operands, signs, orderable),
    st.builds("{} {} {}".format, orderable, signs, operands),
    st.builds("{} {} {} {} {}".format, orderable, signs, operands, signs, orderable),
    st.builds("{} {} {}".format, operands, signs, operands),
    st.builds("{} {} {}".format, operands, membership, tuples(literals)),
    st.builds("{} {} {}".format, operands | literals, membership, operands),
    st.builds("severity {} {}".format, signs, levels),
    st.builds("severity {} {}".format, membership, tuples(levels)),
    st.builds("time {} {}".format, signs, moments),
    st.builds("exists({})".format, names | st.just("severity")),
    st.builds("matches({}, {})".format, operands, st.sampled_from(("'^e'", "r'\\d+'", "''", "'o.$'"))),
    st.builds("{}({}, {}, {})".format, st.sampled_from(("startswith", "endswith")), operands, texts, texts),
    st.builds("contains({}, {}, {})".format, operands, literals, literals),
    st.builds("cidr({}, '10.0.0.0/8')".format, operands),
    st.builds("between({}, 0, 500.5)".format, operands),
    st.builds("between({}, 'a', 'f')".format, operands),
    st.builds("between(severity, {}, 'fatal')".format, levels),
    st.sampled_from(("true", "false")),
)
rules = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=4,
)

quick = settings(deadline=None, max_examples=10)
"""What a quarter of a second is enough for."""


@given(rules, documents, all_facts)
@quick
def test_a_rule_means_what_the_other_interpreter_says(text: str, document: Document, facts: Facts) -> None:
    assert Rule.parse(text).test(document, facts) is evaluate(text, document, facts)


@pytest.mark.slow
@given(rules, documents, all_facts)
@settings(deadline=None, max_examples=1000)
def test_many_rules_mean_what_the_other_interpreter_says(text: str, document: Document, facts: Facts) -> None:
    assert Rule.parse(text).test(document, facts) is evaluate(text, document, facts)


@given(rules, documents, all_facts)
@quick
def test_the_source_over_resolved_values_is_the_slow_way(text: str, document: Document, facts: Facts) -> None:
    rule = Rule.parse(text)
    names: dict[Reference, str] = {reference: f"v{number}" for number, reference in enumerate(rule.references)}
    constants: dict[str, object] = {}
    source = rule.source(names.__getitem__, constants)
    variables = {variable: resolve(reference, document, facts) for reference, variable in names.items()}

    assert eval(source, constants, variables) is rule.test(document, facts)


@given(operands, literals | operands, documents, all_facts)
@quick
def test_unequal_is_exactly_not_equal(left: str, right: str, document: Document, facts: Facts) -> None:
    equal, unequal = Rule.parse(f"{left} == {right}"), Rule.parse(f"{left} != {right}")

    assert unequal.test(document, facts) is not equal.test(document, facts)


@pytest.mark.slow
@given(rules, st.lists(st.tuples(documents, all_facts), min_size=2, max_size=6))
@settings(deadline=None)
def test_a_memoisable_rule_may_be_remembered_by_its_values(text: str, events: list[tuple[Document, Facts]]) -> None:
    rule = Rule.parse(text)
    remembered: dict[tuple[Any, ...], bool] = {}
    for document, facts in events if rule.memoisable else []:
        values = tuple(resolve(reference, document, facts) for reference in rule.references)
        if not any(isinstance(value, list) for value in values):
            assert remembered.setdefault(values, rule.test(document, facts)) is rule.test(document, facts)


@pytest.mark.slow
@given(st.lists(rules, min_size=2, max_size=4), documents, all_facts)
@settings(deadline=None)
def test_rules_share_constants_without_mixing_them_up(texts: list[str], document: Document, facts: Facts) -> None:
    parsed = [Rule.parse(text) for text in texts]
    names: dict[Reference, str] = {}
    constants: dict[str, object] = {}

    def name(reference: Reference) -> str:
        return names.setdefault(reference, f"v{len(names)}")

    sources = [rule.source(name, constants) for rule in parsed]
    variables = {variable: resolve(reference, document, facts) for reference, variable in names.items()}

    assert [eval(source, constants, variables) for source in sources] == [rule.test(document, facts) for rule in parsed]
