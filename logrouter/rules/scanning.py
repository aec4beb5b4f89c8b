"""The words of a rule, and the mistakes that show in them before Python's parser sees the text.

Python's parser says "invalid syntax" where a person who writes rules for logs typed SQL, C or YAML. What
they meant is recognised here, by tables, and said at the character.
"""

from __future__ import annotations

import keyword
import re
from typing import Final

import msgspec

from logrouter.errors import ExpressionError
from logrouter.rules.functions import FUNCTIONS

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\\\r?\n)
    | (?P<string>(?:(?<!\w)[rRbBuUfF]{1,2})?
        (?:'{3}(?:[^\\]|\\.)*?'{3}|"{3}(?:[^\\]|\\.)*?"{3}|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
    | (?P<number>\.?\d(?:[eE][+-]|[\w.])*)
    | (?P<name>[^\W\d]\w*)
    | (?P<sign>===|!==|<>|=~|!~|&&|\|\||\*\*|//|<<|>>|:=|->|[=!<>]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)

_PREFIX = re.compile("[A-Za-z]*")

_OPENING: Final = {")": "(", "]": "[", "}": "{"}
_BEFORE_VALUES = frozenset({"==", "!=", "<", "<=", ">", ">=", "(", "[", ",", "and", "or", "not", "in"})
_OPERATORS = frozenset({"and", "or", "not", "in", "is"})
_GRAMMAR = _OPERATORS | {"True", "False", "None"}
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "**", "//", "<<", ">>", "&", "|", "^", "~"})
_FOREIGN: Final = {
    "=": ("`=` compares nothing", "write =="),
    "===": ("`===` is no operator here", "write =="),
    "!==": ("`!==` is no operator here", "write !="),
    "<>": ("`<>` is no operator here", "write !="),
    "&&": ("`&&` is no operator here", "write and"),
    "||": ("`||` is no operator here", "write or"),
    "!": ("`!` is no operator here", "write not"),
    "=~": ("`=~` is no operator here", 'write matches(field, r"…")'),
    "!~": ("`!~` is no operator here", 'write not matches(field, r"…")'),
    ":=": ("nothing can be assigned in a rule", "write =="),
    "#": ("a rule holds no comments", "put it in a YAML comment"),
    "@": ("`@` cannot stand in a plain name", 'write event["@timestamp"]'),
    "$": ("`$` cannot stand in a rule", 'a field is written by its name, or event["$name"]'),
    "`": ("a backtick quotes nothing here", 'write "…" for text'),
    ";": ("a rule is one expression", "join conditions by and, or"),
    "{": ("a rule holds no braces", "a list of values is written (…) or […]"),
    ":": ("`:` cannot stand in a rule", "write =="),
    "?": ("`?` cannot stand in a rule", "join conditions by and, or"),
    "“": ("a typographic quote quotes nothing", 'write "…" for text'),
    "”": ("a typographic quote quotes nothing", 'write "…" for text'),
}


class Token(msgspec.Struct, frozen=True):
    """One word or sign of a rule."""

    kind: str
    """string, number, name or sign"""
    text: str
    column: int


def scan(text: str) -> list[Token]:
    """The tokens of a rule. Raises ExpressionError for what no rule has."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        if match[0] in ("'", '"'):
            raise ExpressionError("a quote is not closed", text, match.start(), unfinished=True)
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup or "sign", match[0], match.start()))
    if not tokens:
        raise ExpressionError("the rule is empty", text, unfinished=True)
    for previous, token in zip([None, *tokens], tokens, strict=False):
        _check_string(token, previous, text)
        _check_word(token, previous, text)
        _check_neighbours(previous, token, text)
        _check_sign(token, previous, tokens, text)
    _check_brackets(tokens, text)
    return tokens


def _check_string(token: Token, previous: Token | None, text: str) -> None:
    if token.kind != "string":
        return
    prefix = _PREFIX.match(token.text)[0].lower()  # type: ignore[index]
    if "f" in prefix:
        raise ExpressionError("a rule fills in no text", text, token.column, "leave out the f before the quote")
    if prefix not in ("", "r"):
        hint = f"leave out the {prefix} before the quote"
        raise ExpressionError("text is written in plain quotes", text, token.column, hint)


def _check_neighbours(previous: Token | None, token: Token, text: str) -> None:
    """Two values side by side: Python would join two texts, and has no words for the other cases."""
    if previous is None or not _ends_value(previous) or not _is_value(token):
        return
    problem = f"nothing joins `{previous.text[-40:]}` and `{token.text[:40]}`"
    raise ExpressionError(problem, text, token.column, _joining_hint(previous, token))


def _is_value(token: Token) -> bool:
    return token.kind in ("string", "number") or (token.kind == "name" and token.text not in _OPERATORS)


def _ends_value(token: Token) -> bool:
    return _is_value(token) or token.text in (")", "]")


def _joining_hint(previous: Token, token: Token) -> str:
    if token.text.lower() in _OPERATORS:
        return f"write {token.text.lower()}"
    if previous.text.lower() in _OPERATORS:
        return f"write {previous.text.lower()}"
    if token.text in FUNCTIONS and previous.kind == "name":
        return f"write {token.text}({previous.text}, …)"
    if previous.text in FUNCTIONS:
        return f"write {previous.text}({token.text})"
    return "is a comma, `==` or `and` missing?"


def _check_sign(token: Token, previous: Token | None, tokens: list[Token], text: str) -> None:
    if token.kind != "sign":
        return
    if token.text in _FOREIGN:
        problem, hint = _FOREIGN[token.text]
        raise ExpressionError(problem, text, token.column, hint)
    if token.text not in _ARITHMETIC:
        return
    after = next((later for later in tokens if later.column > token.column), None)
    if token.text == "-" and after is not None and after.kind == "number" and _opens_value(previous):
        return
    raise ExpressionError("a rule does no arithmetic", text, token.column, _hyphen_hint(token, previous, after))


def _opens_value(previous: Token | None) -> bool:
    """Whether a value may begin after this token, so that a minus there is a number's sign."""
    return previous is None or previous.text in _BEFORE_VALUES


def _hyphen_hint(token: Token, previous: Token | None, after: Token | None) -> str | None:
    if token.text != "-" or previous is None or after is None:
        return None
    if previous.kind != "name" or after.column != token.column + 1:
        return None
    return f'a name with a hyphen is written event["{previous.text}-{after.text}"]'


def _check_word(token: Token, previous: Token | None, text: str) -> None:
    if token.kind != "name":
        return
    if token.text == "is":
        raise ExpressionError("`is` is no operator here", text, token.column, "write == for is, != for is not")
    if keyword.iskeyword(token.text) and token.text not in _GRAMMAR:
        name = f'["{token.text}"]' if previous is not None and previous.text == "." else f'event["{token.text}"]'
        raise ExpressionError(
            f"`{token.text}` is a word of Python", text, token.column, f"as a name it is written {name}"
        )


def _check_brackets(tokens: list[Token], text: str) -> None:
    open_brackets: list[Token] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in "([":
            open_brackets.append(token)
        elif token.text in _OPENING and (not open_brackets or open_brackets.pop().text != _OPENING[token.text]):
            raise ExpressionError(f"`{token.text}` closes nothing", text, token.column)
    if open_brackets:
        last = open_brackets[-1]
        raise ExpressionError(f"`{last.text}` is not closed", text, last.column, unfinished=True)
