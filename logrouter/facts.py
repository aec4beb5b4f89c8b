"""What is known of an event beside its payload, as rules, templates and steps read it the slow way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logrouter import severity, times
from logrouter.documents import Document
from logrouter.event import Attributes, Flag, flag_attributes
from logrouter.references import MISSING, OPAQUE, Field, Meta, Reference, Resource, Severity, Time, lookup


class Facts:
    """Shared by all events of a chunk whose flags say nothing but what kind of payload they are."""

    __slots__ = ("attributes", "received_ns", "resource")

    def __init__(self, attributes: Attributes, received_ns: int, resource: Mapping[str, str], flags: int = 0) -> None:
        self.attributes: Attributes = {**attributes, **flag_attributes(flags)} if flags > Flag.JSON else attributes
        self.received_ns = received_ns
        self.resource = resource

    @property
    def time_ns(self) -> int:
        """When events happened that do not tell it: when they were written, where that is known, else received."""
        return int(self.attributes.get("written", self.received_ns))

    def marked(self, flags: int) -> Facts:
        """The same of one event of the chunk, which has these flags."""
        return Facts(self.attributes, self.received_ns, self.resource, flags)


def resolve(reference: Reference, document: Document, facts: Facts) -> Any:
    """The value of a reference: the slow way, which is the definition. Objects are OPAQUE."""
    match reference:
        case Field(path):
            value = lookup(document, path)
            return OPAQUE if isinstance(value, dict) else value
        case Meta("received"):
            return facts.received_ns
        case Meta(name):
            return facts.attributes.get(name, MISSING)
        case Resource(name):
            return facts.resource.get(name, MISSING)
        case Severity():
            return severity.of(*(lookup(document, field.path) for field in severity.FIELDS))
        case Time():
            return times.of(facts.time_ns, *(lookup(document, field.path) for field in times.FIELDS))


def value_of(reference: Reference, document: Document, facts: Facts) -> Any:
    """The same for steps, to which objects are what they hold."""
    return lookup(document, reference.path) if isinstance(reference, Field) else resolve(reference, document, facts)
