"""What a rule may say, and what that means: from Python's syntax tree to `Code`.

Every expression here is either a *condition*, which gives True or False, or a *value*: a literal, or an
operand (a reference, or the value of a function). A condition's code never raises and never gives anything
but True or False, whatever the references hold; the comparisons are inlined where one of Python's operators
means the same, with a guard by class where it would raise or mix kinds, and call `semantics` where none does.
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any, Final

import msgspec

from logrouter.errors import ExpressionError, did_you_mean
from logrouter.references import MOMENTS, Reference, Severity, Time
from logrouter.rules import comparing, scales, semantics
from logrouter.rules.code import Code, call, joined, literal
from logrouter.rules.functions import FUNCTIONS, MANY, ArgumentError, Function
from logrouter.rules.naming import Part, reference_of
from logrouter.rules.parsing import Parsed, parse_expression

MAX_DEPTH: Final = 25
"""Conditions inside conditions. Each adds a few parentheses, of which Python's parser takes 200."""

_WORDS: Final = {"true": True, "false": False, "null": None}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATORS: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPENING: Final = r"""[rR]?('{3}|"{3}|'|")"""
_OTHER_NAMES: Final = {
    "regex": "matches", "regexp": "matches", "match": "matches", "search": "matches", "like": "matches",
    "has": "exists", "defined": "exists", "isset": "exists", "size": "len", "length": "len", "count": "len",
    "includes": "contains", "tolower": "lower", "toupper": "upper", "subnet": "cidr", "ip": "cidr",
}  # fmt: skip
"""What other languages call our functions."""


class Operand(msgspec.Struct, frozen=True):
    """Something that differs from event to event."""

    code: Code
    reference: Reference | None
    """None for the value of a function."""
    column: int


class Value(msgspec.Struct, frozen=True):
    """A literal."""

    value: Any
    column: int


def compile_rule(text: str) -> tuple[Code, frozenset[Reference], bool]:
    """The code of a rule, what it reads, and whether its outcome may be remembered. Raises ExpressionError."""
    parsed = parse_expression(text)
    compiler = _Compiler(parsed)
    code = compiler.condition(parsed.body, 0)
    return code, frozenset(compiler.references), compiler.memoisable


class _Compiler:
    """Walks one tree, and remembers what was met."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.references: set[Reference] = set()
        self.memoisable = True

    def error(self, problem: str, node: ast.AST | int, hint: str | None = None) -> ExpressionError:
        column = node if isinstance(node, int) else self.parsed.column(node)
        return ExpressionError(problem, self.parsed.text, column, hint)

    # ── conditions ──

    def condition(self, node: ast.expr, depth: int) -> Code:
        if depth > MAX_DEPTH:
            raise self.error("the rule is nested too deep", node, "split it in two")
        match node:
            case ast.BoolOp():
                chained = comparing.all_of if isinstance(node.op, ast.And) else comparing.any_of
                return chained([self.condition(value, depth + 1) for value in node.values])
            case ast.UnaryOp(op=ast.Not()):
                return comparing.negated(self.condition(node.operand, depth + 1))
            case ast.Compare():
                return self.comparison(node)
            case ast.Call():
                code, function = self.call(node, 0)
                return code if function.gives == "test" else joined("(not not ", code, ")")
        value = self.value(node, 0)
        if isinstance(value, Operand):
            return joined("(not not ", value.code, ")")
        if isinstance(value.value, bool):
            return literal(value.value)
        raise self.error("a literal is no condition", node, 'to compare with several values, write x in ("a", "b")')

    def comparison(self, node: ast.Compare) -> Code:
        """A chain `a < b < c` is `a < b and b < c`."""
        operands = [node.left, *node.comparators]
        pairs = [
            self.pair(left, operator, right)
            for left, operator, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return comparing.all_of(pairs)

    def pair(self, left_node: ast.expr, operator: ast.cmpop, right_node: ast.expr) -> Code:
        if isinstance(operator, ast.In):
            return self.membership(left_node, right_node)
        if isinstance(operator, ast.NotIn):
            return comparing.negated(self.membership(left_node, right_node))
        sign = _OPERATORS[type(operator)]
        left, right = self.value(left_node, 0), self.value(right_node, 0)
        if isinstance(left, Value):
            left, right, sign = right, left, _MIRRORED[sign]
        if isinstance(left, Value):
            raise self.error("two literals compare the same for every event", left_node)
        if isinstance(right, Value):
            return self.with_literal(left, sign, right)
        return self.with_operand(left, sign, right)

    def with_literal(self, operand: Operand, sign: str, value: Value) -> Code:
        if sign == "!=":
            return comparing.negated(self.with_literal(operand, "==", value))
        if operand.reference is not None and scales.has_scale(operand.reference):
            return comparing.on_scale(operand.code, sign, self.scaled(operand.reference, value))
        if sign == "==":
            self.meets(value)
            return comparing.equal(operand.code, value.value)
        if value.value is None or isinstance(value.value, bool):
            raise self.error(f"{_shown(value.value)} has no order", value.column, "compare it by == or !=")
        if not isinstance(value.value, str):
            self.memoisable = False  # True is equal to a number in a table, and has no order
        return comparing.ordered(operand.code, sign, value.value)

    def with_operand(self, left: Operand, sign: str, right: Operand) -> Code:
        for operand in (left, right):
            if isinstance(operand.reference, Severity):
                raise self.error("severity is compared with a name", operand.column, 'such as severity >= "warning"')
        self.memoisable = False
        if sign == "!=":
            return comparing.negated(self.with_operand(left, "==", right))
        return call(semantics.same if sign == "==" else comparing.ORDERS[sign], left.code, right.code)

    def membership(self, item_node: ast.expr, container_node: ast.expr) -> Code:
        item = self.value(item_node, 0)
        if isinstance(container_node, ast.Tuple | ast.List):
            if isinstance(item, Value):
                raise self.error("two literals compare the same for every event", item_node)
            return self.one_of(item, [self.literal(element) for element in container_node.elts])
        container = self.value(container_node, 0)
        if isinstance(container, Value):
            hint = f"write ({_shown(container.value)},) for a list of one, or compare by =="
            raise self.error("expected a list in (…) or a field", container_node, hint)
        if container.reference is not None and scales.has_scale(container.reference):
            raise self.error(f"nothing is in {container.reference}", container_node)
        if isinstance(item, Value):
            self.meets(item)
            return comparing.holds(container.code, item.value)
        self.memoisable = False
        return call(semantics.holds, container.code, item.code)

    def one_of(self, operand: Operand, values: list[Value]) -> Code:
        if not values:
            return joined("False")
        if operand.reference is not None and scales.has_scale(operand.reference):
            return comparing.one_of_numbers(operand.code, [self.scaled(operand.reference, value) for value in values])
        for value in values:
            self.meets(value)
        return comparing.one_of(operand.code, [value.value for value in values])

    def scaled(self, reference: Reference, value: Value) -> int:
        try:
            return scales.number(reference, value.value)
        except scales.ScaleError as error:
            raise self.error(str(error), value.column, error.hint) from None

    def meets(self, value: Value) -> None:
        """A literal that True or False is equal to in Python and not here: a table would mix them up."""
        if comparing.is_boolean_like(value.value):
            self.memoisable = False

    # ── calls ──

    def call(self, node: ast.Call, depth: int) -> tuple[Code, Function]:
        function = self.function(node)
        subject = self.subject(node, function, depth)
        values = self.arguments(node, function)
        literals = [value.value for value in values]
        if subject.reference is not None and scales.has_scale(subject.reference):
            literals = [self.scaled(subject.reference, value) for value in values]
        try:
            return function.code(subject.code, literals), function
        except ArgumentError as error:
            column = self.inside(values[error.index].column, literals[error.index], error.inside)
            raise self.error(error.problem, column, error.hint) from None

    def subject(self, node: ast.Call, function: Function, depth: int) -> Operand:
        """The first argument: what is asked about."""
        usage = f"write {function.signature}"
        if not node.args:
            raise self.error(f"{function.name} asks about a field", node, usage)
        subject = self.value(node.args[0], depth + 1)
        if isinstance(subject, Value):
            raise self.error(f"{function.name} asks about a field", node.args[0], usage)
        if function.takes == "reference":
            if subject.reference is None:
                raise self.error(f"{function.name} takes a field", node.args[0], usage)
            return subject
        self.memoisable = False
        if subject.reference is not None and scales.has_scale(subject.reference) and function.takes != "scale":
            raise self.error(f"{function.name} does not apply to {subject.reference}", node.args[0])
        return subject

    def function(self, node: ast.Call) -> Function:
        if isinstance(node.func, ast.Attribute):
            raise self.method_error(node.func)
        if not isinstance(node.func, ast.Name):
            raise self.error("this cannot be called", node.func)
        name = node.func.id
        if name not in FUNCTIONS:
            hint = f"did you mean {_OTHER_NAMES[name]!r}?" if name in _OTHER_NAMES else did_you_mean(name, FUNCTIONS)
            raise self.error(f"there is no function {name!r}", node.func, hint or f"there are {', '.join(FUNCTIONS)}")
        return FUNCTIONS[name]

    def method_error(self, node: ast.Attribute) -> ExpressionError:
        name = _OTHER_NAMES.get(node.attr, node.attr)
        column = self.parsed.end(node) - len(node.attr)
        if name not in FUNCTIONS:
            return self.error("values have no methods", column, did_you_mean(name, FUNCTIONS))
        asked = self.parsed.text[self.parsed.column(node.value) : self.parsed.end(node.value)]
        arguments = ", …" if FUNCTIONS[name].maximum else ""
        return self.error("values have no methods", column, f"write {name}({asked}{arguments})")

    def arguments(self, node: ast.Call, function: Function) -> list[Value]:
        nodes = list(node.args[1:])
        if function.maximum == MANY and len(nodes) == 1 and isinstance(nodes[0], ast.Tuple | ast.List):
            nodes = list(nodes[0].elts)  # as Python's own startswith takes them
        if not function.minimum <= len(nodes) <= function.maximum:
            where = nodes[function.maximum] if len(nodes) > function.maximum else node
            raise self.error(
                f"{function.name} is given {len(nodes) + 1} arguments", where, f"write {function.signature}"
            )
        return [self.literal(argument) for argument in nodes]

    def inside(self, column: int, value: Any, inside: int | None) -> int:
        """The column of a character inside a text, where the text is written as it is."""
        opening = re.compile(_OPENING).match(self.parsed.text, column)
        if inside is None or opening is None or not self.parsed.text.startswith(value, opening.end()):
            return column
        return opening.end() + inside

    # ── values ──

    def literal(self, node: ast.expr) -> Value:
        value = self.value(node, 0)
        if isinstance(value, Operand):
            raise self.error("expected a literal", node, "a text is written in quotes")
        return value

    def value(self, node: ast.expr, depth: int) -> Operand | Value:
        match node:
            case ast.Constant():
                return self.constant(node)
            case ast.Name(id=word) if word in _WORDS:
                return Value(_WORDS[word], self.parsed.column(node))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as number):
                return Value(-self.constant(number).value, self.parsed.column(node))
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self.reference(node)
            case ast.Call():
                return self.call_value(node, depth)
            case ast.Tuple() | ast.List():
                raise self.error("a list stands only after `in`", node, 'write x in ("a", "b")')
        raise self.error("a condition is not compared again", node, "join conditions by and, or, not")

    def call_value(self, node: ast.Call, depth: int) -> Operand:
        if depth > MAX_DEPTH:
            raise self.error("the rule is nested too deep", node)
        code, function = self.call(node, depth)
        if function.gives == "test":
            hint = f"write {function.name}(…) or not {function.name}(…) alone"
            raise self.error(f"{function.name}(…) is true or false already", node, hint)
        return Operand(code, None, self.parsed.column(node))

    def constant(self, node: ast.Constant) -> Value:
        value = node.value
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error("the number is too large", node)
        if value is None or isinstance(value, bool | int | float | str):
            return Value(value, self.parsed.column(node))
        raise self.error("expected a text, a number, true, false or null", node)

    def reference(self, node: ast.expr) -> Operand:
        reference = reference_of(self.parts(node), self.parsed.text)
        self.references.add(reference)
        if isinstance(reference, Time) or reference in MOMENTS:
            self.memoisable = False  # it hardly ever comes again
        return Operand(joined(reference), reference, self.parsed.column(node))

    def parts(self, node: ast.expr) -> list[Part]:
        """A dotted or bracketed name, which the tree holds from its last part to its first."""
        parts: list[Part] = []
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                name = self.spelled(node, node.attr)
                parts.append(Part(name, self.parsed.end(node) - len(name), quoted=False))
            elif isinstance(node, ast.Subscript):
                parts.append(Part(self.key(node), self.parsed.column(node.slice), quoted=True))
            else:
                raise self.error("only a name has parts", node)
            node = node.value
        parts.append(Part(self.spelled(node, node.id), self.parsed.column(node), quoted=False))
        return parts[::-1]

    def key(self, node: ast.Subscript) -> str:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return node.slice.value
        raise self.error("expected a name in quotes", node.slice, 'to look into a list, write "x" in tags')

    def spelled(self, node: ast.expr, normalised: str) -> str:
        """The name as it was written: Python's parser takes `µ` (micro) for `μ` (mu), and logs do not."""
        return self.parsed.names.get(self.parsed.end(node), normalised)


def _shown(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)
