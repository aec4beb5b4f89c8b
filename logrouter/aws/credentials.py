"""Where credentials come from: the chain that AWS's own tools walk, as a conversation.

    1  the options              access_key_id, secret_access_key; or `profile`, which leaves out 2 and 3
    2  the environment          AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
    3  a web identity           AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN: Kubernetes service accounts
    4  a profile                AWS_PROFILE, in ~/.aws/credentials and ~/.aws/config; roles, but no programs and no SSO
    5  the container            AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI: ECS, EKS Pod Identity
    6  the machine              EC2's metadata service, version 2 only

The first that has something decides; with `role_arn` a role is then assumed. Source: AWS SDKs and Tools Reference
Guide, "Standardized credential providers"
(https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from logrouter import times
from logrouter.aws import sigv4
from logrouter.aws.documents import credentials_in, problem_in
from logrouter.aws.profiles import Profile, path_of, read_profiles
from logrouter.aws.sigv4 import Credentials, Scope
from logrouter.errors import DestinationError
from logrouter.instructions import Instruction, Now, ReadFile, Request, Response

Answer = TypeVar("Answer")
Conversation = Generator[Instruction, Any, Answer]

_METADATA: Final = {"IPv4": "http://169.254.169.254", "IPv6": "http://[fd00:ec2::254]"}
_METADATA_TOKEN_SECONDS: Final = 21600
"""As long as it may be; it is used for a moment."""
_CONTAINER: Final = "http://169.254.170.2"
_CONTAINER_HOSTS: Final = ("localhost", "127.0.0.1", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23")
"""Who may be asked without TLS: this machine, ECS, EKS."""
_SESSION: Final = "logrouter"
"""How CloudTrail names what is done under an assumed role."""
_ROLES_IN_A_ROW: Final = 5
"""A profile may name another one as its source. More than so many is a circle."""


class Source(msgspec.Struct, frozen=True):
    """What the chain starts from."""

    environ: Mapping[str, str]
    region: str
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None

    def __repr__(self) -> str:
        return f"Source({self.region!r})"


def find_credentials(source: Source) -> Conversation[Credentials]:
    """Walk the chain. Raises DestinationError where it ends without any, or a link of it fails."""
    found = yield from _base_credentials(source)
    if source.role_arn is None:
        return found
    return (yield from _assume(source, found, source.role_arn, source.external_id, _SESSION))


def _base_credentials(source: Source) -> Conversation[Credentials]:
    if source.access_key_id is not None and source.secret_access_key is not None:
        return Credentials(source.access_key_id, source.secret_access_key, source.session_token)
    found = None
    if source.profile is None:
        found = _from_environment(source) or (yield from _from_web_identity(source))
    found = found or (yield from _from_profile(source))
    found = found or (yield from _from_container(source))
    found = found or (yield from _from_metadata(source))
    if found is None:
        raise DestinationError(
            "no AWS credentials: there are none in the options, the environment, a web identity, a profile, "
            "the container, or the machine's metadata service"
        )
    return found


def _from_environment(source: Source) -> Credentials | None:
    key, secret = source.environ.get("AWS_ACCESS_KEY_ID"), source.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key and not secret:
        return None
    if not key or not secret:
        given, missing = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")[:: 1 if key else -1]
        raise DestinationError(f"no AWS credentials: {given} is set, {missing} is not")
    return Credentials(key, secret, source.environ.get("AWS_SESSION_TOKEN") or None)


# ── roles: STS ──


def _from_web_identity(source: Source) -> Conversation[Credentials | None]:
    path, role = source.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"), source.environ.get("AWS_ROLE_ARN")
    if not path or not role:
        return None
    session = source.environ.get("AWS_ROLE_SESSION_NAME") or _SESSION
    return (yield from _assume_by_token(source, path, role, session))


def _assume_by_token(source: Source, path: str, role: str, session: str) -> Conversation[Credentials]:
    token = yield ReadFile(path)  # renewed within hours: it is read each time
    if token is None:
        raise DestinationError(f"no AWS credentials: there is no web identity token at {path}")
    form = {"RoleArn": role, "RoleSessionName": session, "WebIdentityToken": token.decode("utf-8", "replace").strip()}
    body = _form("AssumeRoleWithWebIdentity", form)
    response = yield Request("POST", _sts(source), body, (("content-type", _FORM),))
    return _assumed(response, role)


def _assume(
    source: Source, base: Credentials, role: str, external_id: str | None, session: str
) -> Conversation[Credentials]:
    form = {"RoleArn": role, "RoleSessionName": session} | ({"ExternalId": external_id} if external_id else {})
    body, url = _form("AssumeRole", form), _sts(source)
    now_ns = yield Now()
    scope = Scope(source.region, "sts")
    headers = sigv4.sign("POST", url, {"content-type": _FORM}, sigv4.sha256_of(body), base, scope, now_ns)
    response = yield Request("POST", url, body, tuple(headers.items()))
    return _assumed(response, role)


_FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"


def _form(action: str, fields: Mapping[str, str]) -> bytes:
    return urlencode({"Action": action, "Version": "2011-06-15", **fields}).encode()


def _sts(source: Source) -> str:
    own = source.environ.get("AWS_ENDPOINT_URL_STS") or source.environ.get("AWS_ENDPOINT_URL")
    return f"{own.rstrip('/')}/" if own else f"https://sts.{source.region}.{domain_of(source.region)}/"


def domain_of(region: str) -> str:
    """The domain of AWS's own endpoints in a region."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _assumed(response: Response, role: str) -> Credentials:
    found = credentials_in(response.body) if response.status == 200 else None
    if found is None:
        problem = problem_in(response.body)
        told = f"{problem.code}: {problem.message}" if problem else f"HTTP {response.status}"
        raise DestinationError(f"the role {role} cannot be assumed: {told}")
    return found


# ── profiles ──


def _from_profile(source: Source) -> Conversation[Credentials | None]:
    config = yield from _read(path_of("AWS_CONFIG_FILE", "config", source.environ))
    credentials = yield from _read(path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials", source.environ))
    profiles = read_profiles(config, credentials)
    asked = source.profile or source.environ.get("AWS_PROFILE")
    if asked is not None and asked not in profiles:
        raise DestinationError(f"no AWS credentials: there is no profile {asked!r}")
    return (yield from _of_profile(source, profiles, asked or "default", _ROLES_IN_A_ROW))


def _read(path: str | None) -> Conversation[bytes | None]:
    data: bytes | None = (yield ReadFile(path)) if path else None
    return data


def _of_profile(
    source: Source, profiles: Mapping[str, Profile], name: str, depth: int
) -> Conversation[Credentials | None]:
    profile = profiles.get(name, {})
    key, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if role := profile.get("role_arn"):
        session = profile.get("role_session_name", _SESSION)
        if path := profile.get("web_identity_token_file"):
            return (yield from _assume_by_token(source, path, role, session))
        if depth == 0:
            raise DestinationError(f"the profiles that lead to {name!r} name each other")
        if name == profile.get("source_profile") and key and secret:
            base: Credentials | None = Credentials(key, secret, profile.get("aws_session_token"))
        else:
            base = yield from _base_of_role(source, profiles, profile, depth)
        if base is None:
            raise DestinationError(f"the profile {name!r} says role_arn, but its source has no credentials")
        return (yield from _assume(source, base, role, profile.get("external_id"), session))
    if key and secret:
        return Credentials(key, secret, profile.get("aws_session_token"))
    for unsupported in ("credential_process", "sso_session", "sso_start_url"):
        if unsupported in profile:
            raise DestinationError(f"the profile {name!r} says {unsupported}, which logrouter does not do")
    return None


def _base_of_role(
    source: Source, profiles: Mapping[str, Profile], profile: Profile, depth: int
) -> Conversation[Credentials | None]:
    match profile.get("credential_source"):
        case "Environment":
            return _from_environment(source)
        case "EcsContainer":
            return (yield from _from_container(source))
        case "Ec2InstanceMetadata":
            return (yield from _from_metadata(source))
    return (yield from _of_profile(source, profiles, profile.get("source_profile", ""), depth - 1))


# ── containers and machines ──


def _from_container(source: Source) -> Conversation[Credentials | None]:
    environ = source.environ
    relative, full = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), environ.get(_FULL_URI)
    if not relative and not full:
        return None
    url = f"{_CONTAINER}{relative}" if relative else _allowed(full or "")
    token: str | None = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    if path := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        data = yield ReadFile(path)  # renewed while we run
        if data is None:
            raise DestinationError(f"no AWS credentials: there is no authorization token at {path}")
        token = data.decode("utf-8", "replace").strip()
    if token and not token.isprintable():
        raise DestinationError("the container's authorization token holds characters that no header can")
    response = yield Request("GET", url, headers=(("authorization", token),) if token else (), direct=True)
    return _given(response, "the container's credentials")


_FULL_URI: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"


def _allowed(url: str) -> str:
    """The URL, if it may be told the token: by TLS, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _CONTAINER_HOSTS):
        raise DestinationError(f"{_FULL_URI} may only name an https: URL, or one of {', '.join(_CONTAINER_HOSTS)}")
    return url


def _from_metadata(source: Source) -> Conversation[Credentials | None]:
    environ = source.environ
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    mode = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "")
    own = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/")
    base = own or _METADATA["IPv6" if mode.lower() == "ipv6" else "IPv4"]
    asking = (("x-aws-ec2-metadata-token-ttl-seconds", str(_METADATA_TOKEN_SECONDS)),)
    try:
        response = yield Request("PUT", f"{base}/latest/api/token", headers=asking, direct=True)
    except DestinationError:
        return None  # not a machine of EC2
    if response.status != 200:
        return None
    proof = (("x-aws-ec2-metadata-token", response.body.decode("ascii", "replace").strip()),)
    roles = f"{base}/latest/meta-data/iam/security-credentials/"
    response = yield Request("GET", roles, headers=proof, direct=True)
    if response.status == 404:
        return None  # the machine has no role
    role = response.body.decode("utf-8", "replace").split("\n")[0].strip() if response.status == 200 else ""
    response = yield Request("GET", roles + sigv4.encoded(role), headers=proof, direct=True)
    return _given(response, "the machine's role")


class _Given(msgspec.Struct, rename="pascal"):
    """Credentials as ECS and EC2 write them, in JSON."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None
    expiration: str | None = None


def _given(response: Response, whose: str) -> Credentials:
    try:
        given = msgspec.json.decode(response.body, type=_Given) if response.status == 200 else None
    except msgspec.DecodeError:
        given = None
    if given is None:
        raise DestinationError(f"{whose} cannot be had: HTTP {response.status}")
    return Credentials(given.access_key_id, given.secret_access_key, given.token, times.parse(given.expiration))
