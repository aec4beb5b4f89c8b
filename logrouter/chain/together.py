"""Many events changed by the same steps: step by step, so that most of it happens in C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from logrouter.chain.named import NamedStep
from logrouter.documents import Document, decode_each, decode_plain, decode_shallow, encode_document, encode_plain
from logrouter.facts import Facts
from logrouter.projection import is_utf8, not_objects

if TYPE_CHECKING:
    from logrouter.chain.shapes import Shapes


def changed_together(
    steps: Sequence[NamedStep], payloads: list[bytes], facts: Facts, shapes: Shapes | None
) -> list[bytes | None]:
    """Events after some steps; None for those of which each must be looked at. Raises where a step does.

    The first step may need no parsed events; those with which it cannot do without are parsed. `shapes` where all
    steps are shallow and ask nothing.
    """
    if shapes is not None and _are_lines_of_text(payloads):
        shape = shapes.of(payloads)
        if shape is None:
            return _read_and_changed(decode_shallow, steps, payloads, facts)
        changed = shape.changed(payloads)
        return _with_others(changed, payloads, lambda left: _read_and_changed(decode_shallow, steps, left, facts))
    if not steps or steps[0].when is not None or not steps[0].step.splices:
        return _read_and_changed(decode_plain, steps, payloads, facts)
    changed = _spliced(steps[0], payloads)
    if len(steps) > 1:
        behind = _read_and_changed(decode_plain, steps[1:], [one for one in changed if one is not None], facts)
        done = iter(behind)
        changed = [None if one is None else next(done) for one in changed]
    return _with_others(changed, payloads, lambda left: _read_and_changed(decode_plain, steps, left, facts))


def _with_others(
    changed: list[bytes | None],
    payloads: list[bytes],
    change: Callable[[list[bytes]], list[bytes | None]],
) -> list[bytes | None]:
    """What has become of events, with those that are not changed yet changed otherwise."""
    if all(changed):
        return changed
    left = [payload for payload, one in zip(payloads, changed, strict=True) if one is None]
    others = iter(change(left))
    return [next(others) if one is None else one for one in changed]


def _read_and_changed(
    decode: Callable[[bytes], Document], steps: Sequence[NamedStep], payloads: list[bytes], facts: Facts
) -> list[bytes | None]:
    nothing: Document = {}
    documents, refused = decode_each(decode, payloads, nothing)
    for place in reversed(refused):
        del documents[place]
    failed: set[int] = set()
    for named in steps:
        when = named.when
        meant = documents if when is None else [document for document in documents if when.test(document, facts)]
        failed.update(map(id, named.step.apply_all(meant, facts)))
    changed: list[bytes | None] = []
    try:
        changed += map(encode_plain, documents)
    except TypeError:  # an integer beyond 64 bits
        changed = list(map(encode_document, documents))
    if failed:
        changed = [None if id(one) in failed else made for one, made in zip(documents, changed, strict=True)]
    for place in refused:
        changed.insert(place, None)
    return changed


def _are_lines_of_text(payloads: list[bytes]) -> bool:
    """Whether values may stay as they came: these must be UTF-8, and hold no newline."""
    block = b" ".join(payloads)
    return b"\n" not in block and is_utf8(block)


def _spliced(named: NamedStep, payloads: list[bytes]) -> list[bytes | None]:
    """Events after a step that splices. None for those which are to be parsed."""
    block = b"\n".join(payloads)
    refused = not_objects(payloads, block)
    if block.count(b"\n") >= len(payloads):
        refused = sorted({*refused, *(place for place, payload in enumerate(payloads) if b"\n" in payload)})
    if not refused:
        return list(named.step.apply_to_lines(payloads))
    fit = list(payloads)
    for place in reversed(refused):
        del fit[place]
    changed = list(named.step.apply_to_lines(fit))
    for place in refused:
        changed.insert(place, None)
    return changed
