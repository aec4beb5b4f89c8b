"""A component written as a URL.

    errors: file:errors.ndjson?format=raw              scheme = type; the query is options of ours
    es: elasticsearch+https://user:pw@es:9200/?…       type + transport; user and password are options too
    out: stdout                                        a type that needs nothing more
    {type: loki, url: http://loki:3100/?tenant=a}      type apart: a plain http(s) URL's query is the endpoint's
    hook: http+https://example.org/in?tenant=a         the type `http` is the endpoint as it is: so is its query

Nothing here repeats a URL in a mistake: it may hold a password. What came out of `${file:…}` stays a Secret: of a URL
with such parts only these, of one that came out of a file as a whole all but the scheme.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from logrouter.config.words import hint_for
from logrouter.values import MASK, Secret, revealed

_SCHEME = r"([A-Za-z][A-Za-z0-9_]*)(?:\+[A-Za-z0-9]+)?(?=:|\?|$)"
_ENDPOINT_SCHEMES = ("http", "https")


class Url(msgspec.Struct, frozen=True):
    """A URL, taken apart as far as all components agree."""

    scheme: str
    """`elasticsearch` of `elasticsearch+https://…`: the type, unless it is that of a plain endpoint."""
    base: str
    """All but the user, the password and (where it is ours) the query. A Secret, if any of it is."""
    options: tuple[tuple[str, str], ...] = ()
    """From the query, decoded, in order."""
    user: str | None = None
    password: str | None = None

    @property
    def tells_type(self) -> bool:
        """Whether its scheme is a type: `http+https:` is, plain `http:` and `https:` are anybody's."""
        return not revealed(self.base).startswith(("http:", "https:"))


class UrlError(ValueError):
    """A URL that makes no sense, with a hint."""

    def __init__(self, problem: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(problem)


def scheme_of(text: str) -> str | None:
    """What a URL begins with, up to its colon or `+`; None where it is none."""
    match = re.match(_SCHEME, text)
    return match[1] if match else None


def split_url(text: str, types: Sequence[str]) -> Url:
    """Take a URL apart. `types` are the known components. Raises UrlError."""
    match = re.match(_SCHEME, text)
    if match is None or (match[1] not in types and match[1] not in _ENDPOINT_SCHEMES):
        raise _unknown_scheme(text, match[1] if match else None, types)
    if "#" in text:
        raise UrlError("a URL of a sink has no '#'", "write %23")
    scheme = match[1]
    base, _, query = text.partition("?")
    if scheme in _ENDPOINT_SCHEMES:
        base, query = text, ""
    base, user, password = _without_user(base)
    return Url(scheme, base, _options(query), user, password)


def split_secret_url(text: Secret, shape: str, types: Sequence[str]) -> Url:
    """Take a URL apart that holds secrets: `shape` is the same with MASK in their places. Raises UrlError."""
    if shape == MASK:
        return _split_hidden(text, types)
    address = _without_user(shape.partition("?")[0])[0]
    shown = split_url(shape, types) if MASK not in address else None
    if shown is None or any(MASK in key for key, _ in shown.options):
        raise UrlError("what a file holds is secret, and this part of a URL is shown by `config` and in errors", _WHERE)
    # What is filled in is percent-encoded, so that the two have the same parts.
    return _hide(split_url(text.reveal(), types), shown)


_WHERE = "it may be the user, the password, a value in the query, or the whole URL"


def _split_hidden(text: Secret, types: Sequence[str]) -> Url:
    """A URL of which nothing may be told but its scheme and which options it has."""
    try:
        url = split_url(text.reveal(), types)
    except UrlError:
        hint = f"known are: {', '.join(types)}"
        raise UrlError("what the file holds, which is kept secret, is no URL of a known type", hint) from None
    return _hide(url, Url(url.scheme, MASK, tuple((key, MASK) for key, _ in url.options), MASK, MASK))


def _hide(url: Url, shown: Url) -> Url:
    """The URL with Secrets for those parts in which `shown` has MASK."""
    return Url(
        url.scheme,
        _hidden(url.base, shown.base),
        tuple((key, _hidden(value, mask)) for (key, value), (_, mask) in zip(url.options, shown.options, strict=True)),
        None if url.user is None else _hidden(url.user, shown.user),
        None if url.password is None else _hidden(url.password, shown.password),
    )


def _hidden(part: str, shown: str | None) -> str:
    return Secret(part) if MASK in (shown or "") else part


def _unknown_scheme(text: str, scheme: str | None, types: Sequence[str]) -> UrlError:
    looks_like_path = text.startswith(("/", ".", "~")) or (":" not in text and re.search(r"[./]", text))
    if looks_like_path:
        shown = text if len(text) <= 60 and "@" not in text else "PATH"
        return UrlError("expected a URL such as file:errors.ndjson", f"write file:{shown}")
    if scheme is None:
        return UrlError("expected a URL such as file:errors.ndjson")
    hint = hint_for(scheme, types) or f"known are: {', '.join(types)}"
    return UrlError(f"unknown scheme {scheme!r}", hint)


def _without_user(base: str) -> tuple[str, str | None, str | None]:
    """The URL without `user:password@`, and these two. Raises UrlError for a host that is none."""
    before, slashes, after = base.partition("//")
    if not slashes or not before.endswith(":"):
        return base, None, None
    end = re.search(r"[/?]|$", after)
    authority = after[: end.start()] if end else after
    userinfo, at, host = authority.rpartition("@")
    if "%" in host:
        raise UrlError("the host holds a character that no host has")
    if not at:
        return base, None, None
    user, colon, password = userinfo.partition(":")
    rest = f"{before}//{host}{after[len(authority) :]}"
    return rest, _decoded(user), _decoded(password) if colon else None


def _options(query: str) -> tuple[tuple[str, str], ...]:
    """The query's options, decoded. `+` is a plus: it occurs in templates and rules."""
    options = []
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UrlError(f"expected key=value in the query, not {key[:60]!r}")
        options.append((_decoded(key), _decoded(value)))
    return tuple(options)


def _decoded(text: str) -> str:
    """Without percent-encoding. urllib.parse is imported when there is any: it costs more than all of this."""
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)
