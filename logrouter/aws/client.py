"""Signed requests to one service: credentials are found when they are needed, and found anew before they expire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from logrouter.aws.credentials import Conversation
from logrouter.aws.documents import problem_in
from logrouter.aws.sigv4 import EMPTY_SHA256, Credentials, Scope, sign
from logrouter.errors import DestinationError
from logrouter.instructions import Now, Request, Response
from logrouter.values import MaybeSecret, revealed

_EARLY_NS: Final = 600 * 10**9
"""So long before they expire new ones are looked for: whoever hands them out may be away for a while."""
_PATIENCE_NS: Final = 60 * 10**9
"""So long the old ones do, if none that last longer could be had; so often they are looked for while we are refused."""
_STALE: Final = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "InvalidTokenId",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
)
"""What is answered where other credentials may help: they have expired, or been exchanged. (InvalidTokenId: MinIO.)"""


class Client:
    """Signs requests to one endpoint."""

    def __init__(
        self,
        url: str,
        scope: Scope,
        find: Callable[[], Conversation[Credentials]],
        headers: Mapping[str, MaybeSecret] | None = None,
    ) -> None:
        """`url`: what requests' targets follow. `find`: where credentials come from. `headers`: of every request, where
        it has none of the same name."""
        self._url = url
        self._headers = headers or {}
        self._scope = scope
        self._find = find
        self._credentials: Credentials | None = None
        self._looked_ns = 0

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return self._scope.region

    def call(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        payload_sha256: str = EMPTY_SHA256,
        pieces: Sequence[bytes] = (),
    ) -> Conversation[Response]:
        """Send a request and give the answer, whatever it is. `pieces`: more of the body, as a `Request` has it.

        Raises DestinationError where there is no answer, or no credentials.
        """
        sent = {name.lower(): revealed(text) for name, text in self._headers.items()} | dict(headers or {})
        for again in (False, True):
            now_ns = yield Now()
            credentials = yield from self._current(now_ns)
            signed = sign(method, self._url + target, sent, payload_sha256, credentials, self._scope, now_ns)
            response: Response = yield Request(method, target, body, tuple(signed.items()), pieces=pieces)
            if again or not (_is_stale(method, response, credentials) or self._may_be_mended(method, response, now_ns)):
                break
            self._credentials = None
        return response

    def _may_be_mended(self, method: str, response: Response, now_ns: int) -> bool:
        """Whether somebody may have corrected the credentials since: it is time to look again. (A HEAD is often
        refused to who may only write.)"""
        return method != "HEAD" and response.status in (401, 403) and now_ns - self._looked_ns >= _PATIENCE_NS

    def _current(self, now_ns: int) -> Conversation[Credentials]:
        """Credentials that have not expired."""
        known = self._credentials
        left_ns = _EARLY_NS if known is None or known.expires_ns is None else known.expires_ns - now_ns
        if known is not None and (left_ns >= _EARLY_NS or (left_ns > 0 and now_ns - self._looked_ns < _PATIENCE_NS)):
            return known
        self._looked_ns = now_ns
        try:
            self._credentials = yield from self._find()
        except DestinationError:
            if known is None or left_ns <= 0:
                raise
            return known
        return self._credentials


def _is_stale(method: str, response: Response, credentials: Credentials) -> bool:
    if response.status not in (400, 401, 403):
        return False
    if method == "HEAD":  # which is answered without a body
        return credentials.session_token is not None
    problem = problem_in(response.body)
    return problem is not None and problem.code in _STALE
