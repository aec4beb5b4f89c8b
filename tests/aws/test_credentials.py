"""Each link of the chain against scripted answers. No metadata service is ever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest

from logrouter import times
from logrouter.aws.credentials import Source, find_credentials
from logrouter.aws.sigv4 import Credentials
from logrouter.errors import DestinationError
from logrouter.instructions import Now, ReadFile, Request, Response

NOT_EC2 = {"AWS_EC2_METADATA_DISABLED": "true"}
EXPIRY = "2026-01-31T23:59:59Z"
GIVEN = b'{"Code":"Success","AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T","Expiration":"2026-01-31T23:59:59Z"}'
TEMPORARY = Credentials("AK", "SK", "T", times.parse(EXPIRY))


def sts(action: str) -> Response:
    body = f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
      <AccessKeyId>AK</AccessKeyId><SecretAccessKey>SK</SecretAccessKey><SessionToken>T</SessionToken>
      <Expiration>{EXPIRY}</Expiration></Credentials></{action}Result></{action}Response>"""
    return Response(200, {}, body.encode())


def find(
    environ: Mapping[str, str],
    answers: Mapping[str, Response | None] | None = None,
    files: Mapping[str, bytes] | None = None,
    **options: Any,
) -> tuple[Credentials, list[Request]]:
    """Walk the chain. `answers` by method and URL; what is not in it is answered by nobody."""
    conversation = find_credentials(Source(environ, "eu-north-1", **options))
    asked: list[Request] = []
    reply: Any = None
    while True:
        try:
            instruction = conversation.throw(reply) if isinstance(reply, Exception) else conversation.send(reply)
        except StopIteration as done:
            return done.value, asked
        match instruction:
            case Now():
                reply = 0
            case ReadFile(path):
                reply = (files or {}).get(path)
            case Request():
                asked.append(instruction)
                reply = (answers or {}).get(f"{instruction.method} {instruction.target}")
                reply = DestinationError("nobody answers") if reply is None else reply


def test_the_options_come_first() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other"}
    found, asked = find(environ, access_key_id="a", secret_access_key="b", session_token="c")
    assert found == Credentials("a", "b", "c")
    assert asked == []


def test_the_environment() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": ""}
    assert find(environ)[0] == Credentials("a", "b")
    assert find({**environ, "AWS_SESSION_TOKEN": "c"})[0] == Credentials("a", "b", "c")


def test_half_of_a_key_in_the_environment_is_told() -> None:
    with pytest.raises(DestinationError, match="AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not"):
        find({"AWS_SECRET_ACCESS_KEY": "b"})


def test_a_web_identity() -> None:
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:role", "AWS_ROLE_SESSION_NAME": "pod"}
    answers = {"POST https://sts.eu-north-1.amazonaws.com/": sts("AssumeRoleWithWebIdentity")}
    found, asked = find(environ, answers, {"/token": b"jwt\n"})
    assert found == TEMPORARY
    assert parse_qs(asked[0].body.decode()) == {
        "Action": ["AssumeRoleWithWebIdentity"],
        "Version": ["2011-06-15"],
        "RoleArn": ["arn:role"],
        "RoleSessionName": ["pod"],
        "WebIdentityToken": ["jwt"],
    }


def test_a_web_identity_that_is_refused_says_why_and_shows_no_token() -> None:
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:role"}
    refusal = b"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>"
    answers = {"POST https://sts.eu-north-1.amazonaws.com/": Response(400, {}, refusal)}
    with pytest.raises(DestinationError, match="arn:role cannot be assumed: InvalidIdentityToken: no"):
        find(environ, answers, {"/token": b"jwt"})
    with pytest.raises(DestinationError, match="there is no web identity token at /token"):
        find(environ, answers)


FILES = {
    "/home/me/.aws/credentials": b"""
# a comment
[default]
aws_access_key_id = a
aws_secret_access_key=b
[old]
AWS_ACCESS_KEY_ID = old
aws_secret_access_key = old=
aws_session_token = t
""",
    "/home/me/.aws/config": b"""[default]
region = eu-west-1
s3 =
  aws_access_key_id = not-this
[profile archive]
role_arn = arn:archive
source_profile = default
external_id = 42
[profile chain]
role_arn = arn:chain
source_profile = archive
[profile pod]
role_arn = arn:pod
web_identity_token_file = /token
[profile task]
role_arn = arn:task
credential_source = EcsContainer
[profile mine]
role_arn = arn:mine
credential_source = Environment
[profile one]
role_arn = arn:one
source_profile = two
[profile two]
role_arn = arn:two
source_profile = one
[profile sso]
sso_session = corp
[sso-session corp]
sso_start_url = https://corp
""",
    "/token": b"jwt",
}
HOME = {"HOME": "/home/me", **NOT_EC2}
STS = {
    "POST https://sts.eu-north-1.amazonaws.com/": sts("AssumeRole"),
    "GET http://169.254.170.2/c": Response(200, {}, GIVEN),
}


@pytest.mark.parametrize(
    ("profile", "expected"),
    [(None, Credentials("a", "b")), ("default", Credentials("a", "b")), ("old", Credentials("old", "old=", "t"))],
)
def test_a_profile(profile: str | None, expected: Credentials) -> None:
    assert find(HOME, {}, FILES, profile=profile)[0] == expected
    if profile:
        assert find({**HOME, "AWS_PROFILE": profile}, {}, FILES)[0] == expected


def test_the_files_may_stand_elsewhere() -> None:
    environ = {**HOME, "AWS_SHARED_CREDENTIALS_FILE": "/c", "AWS_CONFIG_FILE": "~/x"}
    files = {"/c": FILES["/home/me/.aws/credentials"], "/home/me/x": b"[default]\naws_access_key_id=x\n"}
    assert find(environ, {}, files)[0] == Credentials("a", "b")


@pytest.mark.parametrize(
    ("profile", "roles"),
    [
        ("archive", ["arn:archive"]),
        ("chain", ["arn:archive", "arn:chain"]),
        ("pod", ["arn:pod"]),
        ("task", ["arn:task"]),
        ("mine", ["arn:mine"]),
    ],
)
def test_a_profile_that_assumes_a_role(profile: str, roles: list[str]) -> None:
    environ = {
        **HOME,
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/c",
        "AWS_ACCESS_KEY_ID": "e",
        "AWS_SECRET_ACCESS_KEY": "f",
    }
    found, asked = find(environ, STS, FILES, profile=profile)
    assert found == TEMPORARY
    bodies = [parse_qs(request.body.decode()) for request in asked if request.method == "POST"]
    assert [body["RoleArn"][0] for body in bodies] == roles
    assert bodies[0].get("ExternalId") == (["42"] if roles[0] == "arn:archive" else None)


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        ("absent", "there is no profile 'absent'"),
        ("one", "name each other"),
        ("sso", "says sso_session, which logrouter does not do"),
    ],
)
def test_a_profile_that_cannot_be_used_is_told(profile: str, problem: str) -> None:
    with pytest.raises(DestinationError, match=problem):
        find(HOME, STS, FILES, profile=profile)


def test_a_role_is_assumed_with_what_was_found() -> None:
    found, asked = find(HOME, STS, FILES, role_arn="arn:r", external_id="x")
    assert found == TEMPORARY
    (request,) = asked
    assert parse_qs(request.body.decode())["ExternalId"] == ["x"]
    assert "Credential=a/19700101/eu-north-1/sts/aws4_request" in dict(request.headers)["authorization"]


def test_sts_in_china_and_elsewhere() -> None:
    environ = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1", **HOME}
    answers = {"POST http://127.0.0.1:1/": sts("AssumeRole")}
    assert find(environ, answers, FILES, role_arn="arn:r")[0] == TEMPORARY


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, "http://169.254.170.2/v2/x"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1"}, "http://169.254.170.23/v1"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/v1"}, "http://[fd00:ec2::23]/v1"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://example.org/v1"}, "https://example.org/v1"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_container(variables: dict[str, str], url: str, in_file: bool) -> None:
    name, value = ("_FILE", "/auth") if in_file else ("", "proof")
    environ = {**variables, f"AWS_CONTAINER_AUTHORIZATION_TOKEN{name}": value}
    found, asked = find(environ, {f"GET {url}": Response(200, {}, GIVEN)}, {"/auth": b"proof\n"})
    assert found == TEMPORARY
    assert asked == [Request("GET", url, headers=(("authorization", "proof"),), direct=True)]


@pytest.mark.parametrize("url", ["http://example.org/", "http://169.254.170.2@example.org/", "ftp://localhost/"])
def test_a_token_is_told_to_nobody_else(url: str) -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "proof"}
    with pytest.raises(DestinationError, match="may only name an https: URL"):
        find(environ)


def test_a_token_that_would_end_its_header_is_refused() -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nhost: b"}
    with pytest.raises(DestinationError, match="characters that no header can"):
        find(environ)


def test_a_container_that_gives_none_is_told() -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/"}
    for answer in (Response(500), Response(200, {}, b"<html>"), Response(200, {}, b"{}")):
        with pytest.raises(DestinationError, match=f"cannot be had: HTTP {answer.status}"):
            find(environ, {"GET http://169.254.170.2/": answer})


@pytest.mark.parametrize(
    ("variables", "base"),
    [
        ({}, "http://169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1/"}, "http://127.0.0.1:1"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "http://[fd00:ec2::254]"),
    ],
)
def test_the_machine(variables: dict[str, str], base: str) -> None:
    roles = f"{base}/latest/meta-data/iam/security-credentials/"
    answers = {
        f"PUT {base}/latest/api/token": Response(200, {}, b"proof"),
        f"GET {roles}": Response(200, {}, b"a role\n"),
        f"GET {roles}a%20role": Response(200, {}, GIVEN),
    }
    found, asked = find(variables, answers)
    assert found == TEMPORARY
    assert all(request.direct for request in asked)
    assert [dict(request.headers).get("x-aws-ec2-metadata-token") for request in asked] == [None, "proof", "proof"]


@pytest.mark.parametrize("answer", [None, Response(403), Response(404)])
def test_where_nothing_is_found_it_is_told_where_it_was_looked_for(answer: Response | None) -> None:
    with pytest.raises(DestinationError, match="no AWS credentials: there are none in the options"):
        find({}, {"PUT http://169.254.169.254/latest/api/token": answer})


def test_a_machine_without_a_role() -> None:
    base = "http://169.254.169.254/latest"
    answers = {
        f"PUT {base}/api/token": Response(200, {}, b"proof"),
        f"GET {base}/meta-data/iam/security-credentials/": Response(404),
    }
    with pytest.raises(DestinationError, match="no AWS credentials"):
        find({}, answers)


def test_a_machine_that_is_not_to_be_asked() -> None:
    with pytest.raises(DestinationError, match="no AWS credentials"):
        find(NOT_EC2)
