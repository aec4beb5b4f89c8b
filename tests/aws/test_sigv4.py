"""Signatures, compared with those of botocore."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.aws import sigv4
from logrouter.aws.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, Credentials, Scope, sign

NOW = "2026-01-31T23:59:59Z"
NOW_NS = times.parse(NOW) or 0
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture(autouse=True)
def botocore_reads_our_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime.datetime.fromisoformat(NOW)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: moment.replace(tzinfo=None))


def by_botocore(method: str, url: str, headers: dict[str, str], token: str | None, service: str, sha256: str) -> str:
    request: Any = AWSRequest(method=method, url=url, headers=HTTPHeaders.from_dict(headers))
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = kind(BotocoreCredentials(ACCESS, SECRET, token), service, "eu-north-1")
    request.headers["X-Amz-Content-SHA256"] = sha256
    signer.payload = lambda request: sha256
    signer.add_auth(request)
    return str(request.headers["Authorization"])


keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(
    method=st.sampled_from(["PUT", "GET", "POST", "DELETE", "HEAD"]),
    base=st.sampled_from(["https://b.s3.eu-north-1.amazonaws.com", "http://127.0.0.1:9000/b", "http://[::1]:80/b"]),
    key=keys,
    query=st.dictionaries(keys.filter(bool), keys, max_size=3),
    headers=st.dictionaries(st.from_regex(r"x-amz-meta-[a-z]{1,5}", fullmatch=True), values, max_size=3),
    token=st.none() | values,
    sha256=st.sampled_from([EMPTY_SHA256, UNSIGNED_PAYLOAD]),
)
@settings(deadline=None, max_examples=40)
def test_a_request_to_s3_is_signed_as_botocore_does(
    method: str, base: str, key: str, query: dict[str, str], headers: dict[str, str], token: str | None, sha256: str
) -> None:
    url = f"{base}/{quote(key, safe='/-_.~')}"
    url += "?" + "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    url = url.removesuffix("?")
    ours = sign(method, url, headers, sha256, Credentials(ACCESS, SECRET, token), Scope("eu-north-1", "s3"), NOW_NS)
    assert ours["authorization"] == by_botocore(method, url, headers, token, "s3", sha256)


def test_a_request_to_another_service() -> None:
    url = "https://sts.eu-north-1.amazonaws.com/"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    ours = sign("POST", url, headers, EMPTY_SHA256, Credentials(ACCESS, SECRET), Scope("eu-north-1", "sts"), NOW_NS)
    assert ours["authorization"] == by_botocore("POST", url, headers, None, "sts", EMPTY_SHA256)


def test_what_is_sent_beside_the_signature() -> None:
    ours = sign("GET", "http://h:1/", {"A": "b"}, EMPTY_SHA256, Credentials("a", "b", "t"), Scope("r", "s3"), NOW_NS)
    assert {name: value for name, value in ours.items() if name != "authorization"} == {
        "a": "b",
        "x-amz-date": "20260131T235959Z",
        "x-amz-content-sha256": EMPTY_SHA256,
        "x-amz-security-token": "t",
    }


def test_a_host_has_a_port_only_where_it_is_not_the_schemes_own() -> None:
    hosts = {"http://h:80/": "h", "https://h:443/": "h", "https://h:80/": "h:80", "http://[::1]:9000/x": "[::1]:9000"}
    assert {url: sigv4.host_of(url) for url in hosts} == hosts


def test_credentials_do_not_show_their_secret() -> None:
    assert "hush" not in repr(Credentials("a", "hush", "hush"))
