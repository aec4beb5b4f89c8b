"""From the text of a rule to Python's syntax tree, with every character's place kept.

The text is put in parentheses, so that it may span lines as YAML's blocks do. Whatever Python's parser
raises becomes an ExpressionError at the character where it stopped.
"""

from __future__ import annotations

import ast
import warnings
from typing import Final

import msgspec

from logrouter.errors import ExpressionError
from logrouter.rules.scanning import Token, scan

MAX_LENGTH: Final = 10_000
"""Characters in a rule. A longer one is a generated list, which wants another shape."""


class Parsed(msgspec.Struct, frozen=True):
    """A rule as Python reads it, and where in its text everything stands."""

    text: str
    body: ast.expr
    line_starts: list[int]
    names: dict[int, str]
    """The names as they are written, by where they end."""

    def column(self, node: ast.AST) -> int:
        """Where a node begins, in characters of the text."""
        return max(self._character(node.lineno, node.col_offset), 0)  # type: ignore[attr-defined]

    def end(self, node: ast.expr) -> int:
        """Just after the node: a place in `text`, in characters."""
        return self._character(node.end_lineno or 1, node.end_col_offset or 0)

    def _character(self, line: int, offset_bytes: int) -> int:
        start = self.line_starts[line - 1]
        if line == 1:
            offset_bytes -= 1  # the parenthesis before the text
        if self.text.isascii():
            return start + offset_bytes
        return start + len(self.text[start:].encode()[:offset_bytes].decode("utf-8", "ignore"))


def parse_expression(text: str) -> Parsed:
    """Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"a rule has at most {MAX_LENGTH:,} characters", text[:40] + "…", 0)
    if (odd := next((index for index, character in enumerate(text) if _unwanted(character)), None)) is not None:
        raise ExpressionError(f"the character U+{ord(text[odd]):04X} cannot stand in a rule", text, odd)
    tokens = scan(text)
    line_starts = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]
    # A lone \r ends a line for Python's parser, and would shift every later column.
    body = _parse(f"({text}\n)".replace("\r", " "), text, line_starts, tokens)
    if body.col_offset == 0 and not isinstance(body, ast.Tuple | ast.GeneratorExp):
        raise ExpressionError("the brackets do not pair", text, 0)
    names = {token.column + len(token.text): token.text for token in tokens if token.kind == "name"}
    return Parsed(text, body, line_starts, names)


def _unwanted(character: str) -> bool:
    return character == "\0" or "\ud800" <= character <= "\udfff"


def _parse(wrapped: str, text: str, line_starts: list[int], tokens: list[Token]) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of "\d" in a regular expression that is not raw: it is meant
            return ast.parse(wrapped, "<rule>", "eval").body
    except SyntaxError as error:
        line = min(max(error.lineno or 1, 1), len(line_starts))
        raise _syntax_error(
            text, line_starts[line - 1] + (error.offset or 1) - 1 - (line == 1), error, tokens
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("the rule is nested too deep", text, 0, "split it in two") from None


def _syntax_error(text: str, column: int, error: SyntaxError, tokens: list[Token]) -> ExpressionError:
    if "unicode error" in error.msg:  # its place in the text is not told
        return ExpressionError("a backslash in a text means nothing", text, _bad_escape(tokens), 'write r"…" or \\\\')
    if "too many nested" in error.msg or "integer string conversion" in error.msg:
        return ExpressionError("the rule is nested too deep or holds too long a number", text, 0)
    token = next((token for token in tokens if token.column <= column < token.column + len(token.text)), None)
    if token is None:
        return ExpressionError(f"the rule ends after `{tokens[-1].text}`", text, tokens[-1].column, unfinished=True)
    if token.kind == "number":
        return ExpressionError(f"`{token.text[:40]}` is no number", text, token.column)
    return ExpressionError(f"`{token.text[:40]}` was not expected here", text, token.column)


def _bad_escape(tokens: list[Token]) -> int:
    for token in tokens:
        try:
            ast.literal_eval(token.text if token.kind == "string" else "0")
        except SyntaxError:
            return token.column
    return 0
