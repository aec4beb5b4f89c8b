"""Many events changed by the same steps: step by step, so that most of it happens in C."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logrouter.chain.named import NamedStep
from logrouter.documents import Document, decode_each, decode_plain, decode_shallow, encode_document, encode_plain
from logrouter.facts import Facts
from logrouter.projection import is_utf8, not_objects


def changed_together(steps: Sequence[NamedStep], payloads: list[bytes], facts: Facts) -> list[bytes | None]:
    """Events after some steps; None for those of which each must be looked at. Raises where a step does.

    The first step may need no parsed events; those with which it cannot do without are parsed.
    """
    if not steps or steps[0].when is not None or not steps[0].step.splices:
        return _parsed_and_changed(steps, payloads, facts)
    changed = _spliced(steps[0], payloads)
    if len(steps) > 1:
        done = iter(_parsed_and_changed(steps[1:], [one for one in changed if one is not None], facts))
        changed = [None if one is None else next(done) for one in changed]
    if None in changed:
        left = [payload for payload, one in zip(payloads, changed, strict=True) if one is None]
        others = iter(_parsed_and_changed(steps, left, facts))
        changed = [next(others) if one is None else one for one in changed]
    return changed


def _parsed_and_changed(steps: Sequence[NamedStep], payloads: list[bytes], facts: Facts) -> list[bytes | None]:
    nothing: Document = {}
    documents, refused = decode_each(_decoder_for(steps, payloads), payloads, nothing)
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


def _decoder_for(steps: Sequence[NamedStep], payloads: list[bytes]) -> Callable[[bytes], Document]:
    """What reads events as far as the steps need it. Values that are not parsed must be UTF-8, and hold no newline."""
    if all(named.step.shallow and named.when is None for named in steps):
        block = b" ".join(payloads)
        if b"\n" not in block and is_utf8(block):
            return decode_shallow
    return decode_plain


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
