r"""The exception that an event of several lines holds, as OpenTelemetry names what there is to say of one.

    2026-11-29 10:00:00,123 ERROR app: failed      the line that logged it, where there is one: `message`
    Traceback (most recent call last):             from here on, as it stands: `exception.stacktrace`
      …
    ValueError: boom                               `exception.type`, `exception.message`

How each language writes it stands in `_raised.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from logrouter.documents import Document, Names, decode_document, encode_document

if TYPE_CHECKING:
    from logrouter.parsers._raised import Raised

_STACKTRACE: Final = "exception.stacktrace"


def with_exception(event: bytes, made: bytes | None, parse: Callable[[bytes], bytes | None]) -> bytes | None:
    """The object of an event of several lines, with the exception that it holds as fields. None: it holds none.

    `made` is what `parse` makes of the event as a whole: then the exception stands in its message. Where that is
    nothing, the line that logged the exception is parsed alone.
    """
    if made is not None:
        document = decode_document(made)
        if move_exception(document):
            return encode_document(document)
        return made if _STACKTRACE in document else None  # of a parser that moves them itself
    raised = _raised_in(event.decode("utf-8", "replace"))
    if raised is None:
        return None
    head = parse(raised.before.encode()) if raised.before else None
    if head is not None:
        document = decode_document(head)
    elif raised.before:
        document = {"message": raised.before}
    else:  # nobody logged it: the app has ended by it, or is about to
        document = {"level": "error", "message": raised.summary}
    _add(document, raised)
    return encode_document(document)


def move_exception(document: Document) -> bool:
    """Makes fields of the exception in a message of several lines. False: there is none."""
    message = document.get("message")
    if not isinstance(message, str) or "\n" not in message or (raised := _raised_in(message)) is None:
        return False
    document["message"] = raised.before or raised.summary
    _add(document, raised)
    return True


def _raised_in(text: str) -> Raised | None:
    from logrouter.parsers._raised import raised_in  # its expressions take 5 ms, for events of several lines alone

    return raised_in(text)


def _add(document: Document, raised: Raised) -> None:
    names = Names(document)
    for name, value in (("type", raised.type), ("message", raised.message), ("stacktrace", raised.stacktrace)):
        if value:
            document[names.unused(f"exception.{name}")] = value
