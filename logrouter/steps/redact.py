r"""Redact what is private: mask it, put a keyed hash in its place, or remove it, before anything is stored or sent.

    - redact: {fields: [user.email, password], patterns: [email, card]}
    < {"user": {"email": "ann@example.com"}, "password": {"old": "x"}, "message": "card 4111 1111 1111 1111"}
    > {"user": {"email": "[redacted]"}, "password": "[redacted]", "message": "card [redacted:card]"}
    < sent to ann@example.com
    > sent to [redacted:email]

`fields` redacts the whole value of a field, whatever it is. The literal dotted key and the nested field are both
redacted, and lists on the way are gone through: `users.email` means that field of each object in the list `users`.
Lines of text have no field but `message`; for them, use patterns.

`patterns` redacts what looks private wherever it stands in the event: in strings, in the keys of objects, in numbers
(`card` and expressions of your own), at any depth, and in lines of text. These are known by name:

    private_key   a private key in PEM (RSA, EC, OpenSSH, PGP …) or PuTTY's format, up to its end
    aws_key       an access key id of AWS (AKIA…, ASIA…), and a secret key where its name stands before it
    api_key       keys of GitHub, GitLab, Slack, Stripe, Google, Azure, SendGrid, Twilio, npm, PyPI, Docker, OpenAI,
                  Anthropic, Hugging Face, Vault, DigitalOcean, Shopify, Atlassian, Heroku, Grafana, Telegram and
                  others, by how they begin
    url_password  the password in postgres://user:password@host
    bearer        what follows the word Bearer, as in an Authorization header
    basic         what follows the word Basic there, and elsewhere if it is base64 of user:password
    jwt           a JSON Web Token: eyJ….eyJ….…
    password      what follows password=, "api_key": and the like; and all of a field with such a name
    iban          an international bank account number, right by its check digits
    card          the number of a payment card: 13 to 19 digits, with spaces or dashes, right by its check digit
    email         jane@example.com, also where the @ is written %40 or \u0040
    ipv6          2001:db8::1, ::ffff:10.1.2.3
    ipv4          10.1.2.3
    all           all of these

How many of them are found in a million ordinary lines where nothing is private stands in
[what is taken for private](../redaction.md). A private key whose lines are events of their own is not found but for
its first: `multiline: {start: '^-----BEGIN', end: '^-----END'}` makes one event of it.

All else is a regular expression. If it has a group named `secret`, only that is redacted. One whose cost could explode
is refused. Where it grows faster than the text, long texts are searched in windows that overlap by half: of 8,192
characters where it grows with the square, 586 with the cube. A match longer than half a window may be missed there.

    - redact: {patterns: ['(?i)pin[ =:]+(?P<secret>\d{4})']}
    < {"message": "PIN: 1234 accepted"}
    > {"message": "PIN: [redacted] accepted"}

With `hash`, equal values can still be counted and joined, and nobody without the key can try out which value it was:
the first 20 hexadecimal digits of HMAC-SHA-256, of a string's UTF-8 or of another value's compact JSON.

    - redact: {fields: [user], patterns: [email], with: hash, key: only an example}
    < {"user": "ann@example.com", "message": "mail to ann@example.com failed"}
    > {"user": "[hash:957351694484d82b67a3]", "message": "mail to [hash:957351694484d82b67a3] failed"}

With `remove`, fields are taken out, and matches cut out of the text that holds them.

    - redact: {fields: [token], patterns: [ipv4], with: remove}
    < {"token": "x", "message": "from 10.1.2.3 today"}
    > {"message": "from  today"}

It fails closed: should it ever fail on an event, the event is replaced by one that says so, marked and counted. So
is, where `fields` are redacted, a line that looks like an object with such a field but is not valid JSON (a `NaN`, a
byte that is not UTF-8), and a piece of a line over `max_line`: what cannot be looked into is not let through. Nor can
anybody tell for such a line whether a `when` that reads its fields holds: it is redacted, or withheld, as if it did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Literal

import msgspec

from logrouter.documents import Document
from logrouter.errors import Complaints
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.redaction import Detector, Scrubber, StandIn, detectors, redacted_lines
from logrouter.references import MISSING
from logrouter.steps import Step, StepConfig
from logrouter.steps._hashing import DIGITS, digest_by, text_of, warnings_of
from logrouter.steps._paths import Path, field_paths
from logrouter.values import Secret

MASK: Final = "[redacted]"

Replace = Callable[[Any], Any]
"""What to put in the place of a field's value; MISSING to take the field out."""


class RedactConfig(StepConfig, frozen=True, kw_only=True):
    """At least one of `fields` and `patterns` must be given."""

    fields: tuple[str, ...] = ()
    """Fields whose whole value is redacted."""
    patterns: tuple[str, ...] = ()
    """Names of presets, and regular expressions: what they match is redacted wherever it stands."""
    method: Literal["mask", "hash", "remove"] = msgspec.field(default="mask", name="with")
    """What is done: `mask` writes `[redacted]`, with the preset's name; `hash` a keyed hash; `remove` nothing."""
    key: Secret | None = None
    """The key of the hashes. Needed with `hash`; best kept in a file."""


class Redact(Step[RedactConfig]):
    """Fields first, then patterns in what is left."""

    Config: ClassVar[type[StepConfig]] = RedactConfig
    fails_closed = True
    placeholder: ClassVar[Document] = {"message": "[redaction failed]", "redact_failed": True}

    def __init__(self, config: RedactConfig) -> None:
        super().__init__(config)
        paths, found = _checked(config)
        self._keys = [path[0] for path in paths if len(path) == 1]
        self._paths = [path for path in paths if len(path) > 1]
        self._names = [path[-1].encode() for path in paths if path != ("message",)]
        self._replace, stand_in = _replacements(config)
        self._scrubber = Scrubber(found, stand_in) if found else None
        self.splices = self._scrubber is not None and not config.fields and not self._scrubber.clues.always
        self.shallow = config.method == "mask" and not self._paths and self._scrubber is None

    @classmethod
    def options_from(cls, value: Any) -> Any:
        """Raises ValueError for names alone: to redact what is called so, or looks so, is not the same."""
        if isinstance(value, str | list):
            names = ", ".join(map(str, value if isinstance(value, list) else [value]))
            raise ValueError(f"say of what: {{patterns: [{names}]}} wherever it stands, or the {{fields: [{names}]}}")
        return value

    @classmethod
    def warnings(cls, config: RedactConfig) -> list[str]:
        """What is not wrong but may not be meant, for `logrouter check`."""
        found = []
        if any(name != "message" for name in config.fields):
            found.append("fields cannot be found in lines of text; patterns can")
        return [*found, *warnings_of(config.key)]

    def withholds(self, text: bytes, flags: int) -> bool:
        """An object that is not quite JSON, or a piece of a line, may hold the fields that cannot be found in it."""
        if not self._names:
            return False
        return bool(flags & Flag.PARTIAL_MIDDLE) or b"\\u" in text or any(name in text for name in self._names)

    def apply(self, document: Document, facts: Facts) -> None:
        self._redact_fields(document)
        if self._scrubber is not None:
            self._scrubber.document(document)

    def _redact_fields(self, document: Document) -> None:
        for key in self._keys:
            if key in document:
                _put(document, key, self._replace)
        for path in self._paths:
            _redact_field(document, path, self._replace)

    def apply_to_lines(self, lines: list[bytes]) -> Sequence[bytes | None]:
        assert self._scrubber is not None
        return redacted_lines(self._scrubber, lines)

    def apply_all(self, documents: Sequence[Document], facts: Facts) -> Sequence[Document]:
        if self._scrubber is not None:
            return self._apply_to_all(documents, self._scrubber)
        if not self.shallow:
            return super().apply_all(documents, facts)
        for key in self._keys:
            for document in documents:
                if key in document:
                    document[key] = MASK
        return ()

    def _apply_to_all(self, documents: Sequence[Document], scrubber: Scrubber) -> Sequence[Document]:
        try:
            for document in documents:
                self._redact_fields(document)
            scrubber.documents(documents)
        except Exception:
            return documents
        return ()


def _checked(config: RedactConfig) -> tuple[list[Path], list[Detector]]:
    """The fields, and what finds the patterns. Raises ValueError with all that is wrong."""
    paths, found, complaints = list[Path](), list[Detector](), Complaints()
    with complaints:
        if not config.fields and not config.patterns:
            raise ValueError("expected fields or patterns to redact")
        paths = field_paths(config.fields, "redacted")
    with complaints:
        found = detectors(config.patterns)
    with complaints:
        if config.method == "hash" and not (config.key and config.key.reveal()):
            raise ValueError("with: hash needs a key, best from a file: key_file")
        if config.method != "hash" and config.key is not None:
            raise ValueError(f"a key is for with: hash, and this is with: {config.method}")
    complaints.conclude()
    return paths, found


def _replacements(config: RedactConfig) -> tuple[Replace, StandIn]:
    """What replaces the value of a field, and what a match in a text."""
    if config.method == "remove":
        return (lambda value: MISSING), (lambda text, name: "")
    if config.method == "mask":
        return (lambda value: MASK), (lambda text, name: f"[redacted:{name}]" if name else MASK)
    assert config.key is not None
    hashed = _hasher(config.key)
    return hashed, (lambda text, name: hashed(text))


def _hasher(secret: Secret) -> Callable[[Any], str]:
    digest = digest_by(secret)
    return lambda value: f"[hash:{digest(text_of(value)).hex()[:DIGITS]}]"


def _put(holder: Document, key: str, replace: Replace) -> None:
    value = replace(holder[key])
    if value is MISSING:
        del holder[key]
    else:
        holder[key] = value


def _redact_field(document: Document, path: Path, replace: Replace) -> None:
    """Redact a dotted field everywhere: under each way to divide its names into keys, in each object of a list."""
    waiting: list[tuple[Any, Path]] = [(document, path)]
    while waiting:
        container, rest = waiting.pop()
        if isinstance(container, list):
            waiting += ((item, rest) for item in container)
        elif isinstance(container, dict):
            for taken in range(1, len(rest) + 1):
                key = ".".join(rest[:taken])
                if key not in container:
                    continue
                if taken == len(rest):
                    _put(container, key, replace)
                else:
                    waiting.append((container[key], rest[taken:]))
