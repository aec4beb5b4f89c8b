"""Writes objects of compressed lines to Amazon S3, and to whatever speaks like it (MinIO, Ceph, R2, versitygw).

    sinks:
      archive:
        type: s3
        bucket: logs
        region: eu-north-1
        key: "{service.name}/{date:%Y/%m/%d}/"
        compression: zstd

    # logs/checkout/2026/01/31/20260131T235959Z-archive-5bd1e995a1b2c3d4-120000.ndjson.zst
    # is read by: aws s3 cp s3://logs/checkout/… - | zstd -d

An object is closed when it has `object_size`, as it is stored, or is `object_age` old, when logrouter stops, and early
where the spool's disk is full of what is in it. Small ones are sent whole, large ones in parts (multipart), so that no
more than a part has to be held in memory. They are made of gzip members or zstd frames of some hundred kilobytes each:
usual tools read an object as one file.

Each event is in one object, once, also after a crash. An object's name is made of what never changes: when its first
event was received, the sink, and the event's epoch and sequence. It does not tell the last event, which nobody knows
when an upload in parts begins under that name. What is about to be sent is written down before;
what was on its way is then sent again under the same name, and an object that is there already is compared by size
and checksum. An upload in parts that was open is continued. A bucket's lifecycle rule that aborts incomplete uploads
must therefore leave them for longer than logrouter may be away. Without a spool on disk nobody knows of an open upload
after a crash, and what is in it is lost: then objects up to 11 MiB, which are sent whole, are the better choice.

`key` may hold templates (`{service.name}/{date}/`). What comes from events is made fit for every server: no slashes, no
`..`, at most 200 bytes, and 250 between two slashes. Objects are closed together: when events for a second key come,
the open upload is completed, so a template that changes with every event makes many small objects.

Credentials, in this order: the options; `AWS_ACCESS_KEY_ID` and its like; a web identity (Kubernetes); a profile; the
container (ECS, EKS); the machine's role (EC2). They are renewed before they expire. [AWS](../aws.md) tells which, and
the permissions that are needed. Variables that are read beside those of credentials: `AWS_REGION`,
`AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`.

What is answered, and what it means:

    200                               stored: the events count as delivered
    412                               the object is there already: compared; a different one stays, ours goes beside it
    409, 500, 503, SlowDown           sent again, later
    301, 400 with another region      told with the right region; sent again
    403, 404 NoSuchBucket             told with what to do about it; sent again until it is taken
    404 NoSuchUpload                  it was completed before a crash, which is looked up; or others have aborted it:
                                      what was in it is counted as lost
    ExpiredToken, InvalidToken(Id)    new credentials are looked for at once
    401, 413, 3xx, 502, 504           something before S3 answers: told, with its headline and what to do; sent again
    200 without an ETag               nor is that S3: sent again

No answer concerns a single event, so there are no dead letters: what `retry.give_up` gives up is discarded, counted.

One request is under way at a time: each part is settled before the next is made, so that a crash leaves at most one in
doubt, and memory holds one. There is no `concurrency` therefore. Where a sink does not keep up, two of them with a
`match` each do, or a higher `compression_level` where the network is what is slow.

It is tested with versitygw and MinIO, either side killed and stopped in mid-delivery: [AWS](../aws.md) tells what was
shown with which, and what is special to MinIO.

As a URL: `s3://bucket/prefix/?region=eu-north-1&compression=zstd`; of another server
`s3+http://127.0.0.1:9000/bucket/app/{date}/`, which is `s3://bucket/app/{date}/?endpoint=http://127.0.0.1:9000`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar, Final, Literal

import msgspec

from logrouter import formats, times
from logrouter.aws.bucket import Bucket, Refused, address
from logrouter.aws.client import Client
from logrouter.aws.credentials import Source, find_credentials
from logrouter.aws.sigv4 import Scope, encoded
from logrouter.compression import LEVELS, SUFFIXES
from logrouter.endpoint import Endpoint, Timeouts, Tls
from logrouter.errors import DestinationError, refuse
from logrouter.facts import Facts
from logrouter.http_sink import RetryOptions, check_headers, check_proxy, check_url, kept_headers, kept_proxy
from logrouter.sinks import (
    Batch,
    Batching,
    Conversation,
    Encoded,
    Instruction,
    Now,
    Retry,
    Sink,
    SinkConfig,
    SinkContext,
    Slice,
    Transport,
)
from logrouter.sinks._objects import Content, Gathered, KeyTemplate, Packing, key_of
from logrouter.sinks._storing import MOST_PARTS, Rules, Storing
from logrouter.templates import percent_decoded
from logrouter.values import Duration, MaybeSecret, Secret, Size, revealed

_PART_BYTES: Final = 6 * 2**20
"""S3 takes no parts below 5 MiB but the last; a batch may come out a little smaller than it was thought to be."""
_LARGEST_OBJECT: Final = Size(2**30)
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]+")
_SIGNING: Final = ("host", "authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token")
_FRAMING: Final = ("connection", "content-length", "transfer-encoding")
_TYPES: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}


class S3Config(SinkConfig, kw_only=True, frozen=True):
    """Which bucket, how objects are named, cut and stored, and who we are."""

    bucket: str
    """The bucket's name."""
    key: KeyTemplate = KeyTemplate.parse("{date}/")
    """Where in the bucket. May hold templates; a value that an event does not have is `unknown`. It names a folder, to
    which each object's own name and `.ndjson.gz` or the like are added; or says with `{id}` where that name stands, and
    what follows it: `{date}/{id}.json.gz`."""
    region: str | None = None
    """The bucket's region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, else `us-east-1`."""
    endpoint: str | None = None
    """The URL of a server that is not AWS's own. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, else AWS."""
    path_style: bool | Literal["auto"] = "auto"
    """Whether the bucket stands in the path instead of the host. `auto`: where there is an `endpoint`, or the bucket's
    name has a dot."""
    format: Literal["json", "raw", "logfmt"] = "json"
    """What a line looks like: a JSON object, the bytes as they came, or logfmt."""
    compression: Literal["none", "gzip", "zstd"] = "gzip"
    """How objects are compressed."""
    compression_level: int | None = None
    """How hard: gzip 1 to 9, zstd 1 to 22. Default: 1, which costs least and is as dense as zstd's 3 for most lines."""
    object_size: Size = Size(64 * 2**20)
    """An object is closed when it is about as large, as it is stored. At most 1GiB."""
    object_age: Duration = Duration(300.0)
    """An object is closed when it was begun so long ago."""
    access_key_id: MaybeSecret | None = None
    """With `secret_access_key`: who we are. Default: see above."""
    secret_access_key: Secret | None = None
    """The key's secret."""
    session_token: Secret | None = None
    """What temporary keys need beside it."""
    profile: str | None = None
    """The profile in `~/.aws` to use. Default: `AWS_PROFILE`, else `default`."""
    role_arn: str | None = None
    """A role to assume with the credentials that were found."""
    external_id: MaybeSecret | None = None
    """What the role's owner may ask for beside them."""
    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    """How objects are encrypted where they are stored. Default: as the bucket says."""
    sse_kms_key_id: str | None = None
    """With which key of KMS. Default: AWS's own."""
    storage_class: str | None = None
    """Such as `STANDARD_IA`, `INTELLIGENT_TIERING`, `GLACIER_IR`. Default: `STANDARD`."""
    acl: str | None = None
    """A canned ACL, such as `bucket-owner-full-control`."""
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Tags of every object."""
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Metadata of every object (`x-amz-meta-…`)."""
    content_type: str | None = None
    """The media type that objects are stored with. Default: that of the compression, or of the lines."""
    content_encoding: str | None = None
    """`gzip` or `zstd` makes browsers and others decompress what they get. Default: none; objects are files."""
    conditional: bool = True
    """Whether an object may take no other's place (`If-None-Match`). `false` for servers that lack this: names are
    such that it would only ever be its own."""
    headers: Mapping[str, MaybeSecret] = msgspec.field(default_factory=dict)
    """Sent with every request to the bucket, and signed: `x-amz-expected-bucket-owner`. Those whose names speak of a
    key, token, cookie or the like are kept secret."""
    tls: Tls = Tls()
    """How the connection is secured: TLS 1.2 or newer. Its files are read for the first connection, and anew after
    SIGHUP."""
    proxy: MaybeSecret | None = None
    """The URL of an HTTP proxy. Default: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say."""
    timeouts: Timeouts = Timeouts()
    """How long each phase of a request may take. What takes longer is tried again."""
    retry: RetryOptions = RetryOptions()
    """How what was not taken is tried again."""

    def __post_init__(self) -> None:
        refuse(_problems(self))
        msgspec.structs.force_setattr(self, "headers", kept_headers(self.headers))
        msgspec.structs.force_setattr(self, "proxy", kept_proxy(self.proxy))


def _problems(config: S3Config) -> Iterable[str]:
    """What is wrong with the options."""
    if not _BUCKET.fullmatch(config.bucket):
        yield f"bucket: {config.bucket!r} cannot be the name of a bucket"
    if not 0 < config.object_size <= _LARGEST_OBJECT:
        yield f"object_size: must be more than 0, and at most {_LARGEST_OBJECT}"
    if config.compression_level is not None and config.compression_level not in LEVELS.get(config.compression, ()):
        yield f"compression_level: {config.compression} has no level {config.compression_level}"
    if config.object_age <= 0:
        yield "object_age: must be more than 0"
    if (config.access_key_id is None) != (config.secret_access_key is None):
        yield "access_key_id and secret_access_key: one needs the other"
    if config.session_token is not None and config.access_key_id is None:
        yield "session_token: it belongs to an access_key_id"
    if config.access_key_id is not None and config.profile is not None:
        yield "profile: either a profile or an access_key_id"
    if config.external_id is not None and config.role_arn is None:
        yield "external_id: it belongs to a role_arn"
    if config.sse_kms_key_id is not None and config.sse in (None, "AES256"):
        yield "sse_kms_key_id: needs sse: aws:kms"
    if config.format == "raw" and config.include:
        yield "include: raw lines have no room for attributes; use format: json or logfmt"
    for name in config.headers:
        if name.lower() in (*_SIGNING, *_FRAMING):
            yield f"headers: {name!r} is made with each request"
    if config.endpoint is not None and not re.match(r"https?://[^/]", config.endpoint):
        yield "endpoint: expected a URL such as https://minio.example.org:9000"
    for name, value in _object_headers(config).items():
        if not (value.isascii() and value.isprintable()):
            yield f"{name}: holds characters that no header can"


class S3Sink(Sink[S3Config]):
    """Compresses events as they come, and stores them as objects and parts of objects."""

    Config: ClassVar[type[SinkConfig]] = S3Config
    transport: ClassVar[Transport] = "http"
    names_by: ClassVar[tuple[str, ...]] = ("key",)
    segments: ClassVar[bool] = True
    gathers: ClassVar[bool] = True
    told_of_gaps: bool
    endpoint: Endpoint
    """Where requests go to."""

    def __init__(self, config: S3Config, context: SinkContext) -> None:
        super().__init__(config, context)
        self.told_of_gaps = config.format != "raw"
        self._encode = formats.encoder(config.format, self.include)
        self._place: str | None = None
        if config.key.is_constant:
            self._place = config.key.render({}, Facts({}, 0, context.resource))
        else:
            self.templates = (config.key,)
        parts = min(max(1, config.object_size // _PART_BYTES), MOST_PARTS)
        self.batching = Batching(-(-config.object_size // parts), None, config.object_age)
        self.retry = config.retry.policy
        self._rules = _rules(config, context.name)
        self._connect(config, context.environ)

    def _connect(self, config: S3Config, environ: Mapping[str, str]) -> None:
        region = config.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        if not _REGION.fullmatch(region):
            raise ValueError(f"region: {region!r} cannot be the name of a region")
        own = config.endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        if own:
            check_url(own, "endpoint")
        check_proxy(config.proxy)
        check_headers(config.headers)
        style = None if config.path_style == "auto" else config.path_style
        url, path = address(config.bucket, region, own, style)
        self.endpoint = Endpoint(url, config.headers, config.tls, config.timeouts, config.proxy)
        source = _source(config, environ, region)
        client = Client(url, Scope(region, "s3"), lambda: find_credentials(source), config.headers)
        # What TLS guards need not be signed: hashing costs as much as compressing.
        self._bucket = Bucket(client, path, not url.startswith("https:"), _object_headers(config))

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        scheme, _, rest = url.partition("://")
        carrier = scheme.partition("+")[2]
        host, _, path = rest.partition("/") if carrier else ("", "", rest)
        bucket, _, key = path.partition("/")
        if not bucket or carrier not in ("", "http", "https"):
            raise ValueError("expected s3://BUCKET/PREFIX/, or s3+https://SERVER/BUCKET/PREFIX/ where it is not AWS's")
        options = {"bucket": bucket, "endpoint": f"{carrier}://{host}" if carrier else None}
        return {name: value for name, value in (options | {"key": percent_decoded(key)}).items() if value}

    @classmethod
    def warnings(cls, config: S3Config) -> list[str]:
        told = []
        if config.endpoint is not None and config.endpoint.startswith("http:"):
            host = config.endpoint.partition("//")[2]
            if not re.match(r"(localhost|127\.|\[::1\])", host):
                told.append("without TLS everybody on the way can read the events")
        if config.content_encoding is not None and config.content_encoding != config.compression:
            told.append(f"content_encoding is {config.content_encoding}, compression is {config.compression}")
        return told

    @classmethod
    def for_rehearsal(cls, config: S3Config) -> S3Config:
        key = Secret("rehearsal")
        return msgspec.structs.replace(
            config, access_key_id=key, secret_access_key=key, profile=None, role_arn=None, external_id=None
        )

    def encode(self, part: Slice, before: Encoded | None = None) -> Encoded:
        gathered = before if isinstance(before, Gathered) else Gathered(0, 0, part.received_ns)
        for place, events in part.by_text(part.columns[0] if self._place is None else self._place):
            if lines := self._encode(events, place):
                content = gathered.contents.setdefault(place, Content())
                before_bytes = content.size_bytes
                content.add(lines, len(events), self._rules.packing)
                gathered.size_bytes += content.size_bytes - before_bytes
        gathered.events += len(part)
        return gathered

    def send(self, batch: Batch) -> Conversation:
        now_ns = yield Now()
        try:
            return (yield from Storing(self._bucket, self._rules, batch, now_ns).run())
        except Refused as error:
            return Retry(str(error), error.after_seconds, error.congested)

    def probe(self) -> Generator[Instruction, Any, list[str]]:
        """Ask for what is in it, and begin an upload, of which nothing is seen, and abort it."""
        try:
            response = yield from self._bucket.probe()
            if response.status != 200 and not self._bucket.lacks_permission(response):
                return [f"bucket {self.config.bucket}: {self._bucket.reason_of(response)}"]
            now_ns = yield Now()
            place = self.config.key.render({}, Facts({}, now_ns, self.context.resource))
            key = key_of(place, f"check-{times.format_basic(now_ns)}", self._rules.form)
            return (yield from self._bucket.probe_writing(key))
        except DestinationError as error:
            return [str(error)]


def _rules(config: S3Config, sink: str) -> Rules:
    suffix = ".ndjson" if config.format == "json" else ".log"
    return Rules(
        sink=sink,
        form=suffix + SUFFIXES.get(config.compression, ""),
        packing=Packing(config.compression, config.compression_level or 1),
        object_bytes=config.object_size,
        age_ns=int(config.object_age * 1e9),
        only_new=config.conditional,
    )


def _source(config: S3Config, environ: Mapping[str, str], region: str) -> Source:
    def shown(secret: str | None) -> str | None:
        return None if secret is None else revealed(secret)

    return Source(
        environ,
        region,
        shown(config.access_key_id),
        shown(config.secret_access_key),
        shown(config.session_token),
        config.profile,
        config.role_arn,
        shown(config.external_id),
    )


def _object_headers(config: S3Config) -> dict[str, str]:
    """What every new object is stored with."""
    lines = "application/x-ndjson" if config.format == "json" else "text/plain; charset=utf-8"
    media_type = lines if config.content_encoding else _TYPES.get(config.compression, lines)
    headers = {
        "content-type": config.content_type or media_type,
        "content-encoding": config.content_encoding,
        "x-amz-server-side-encryption": config.sse,
        "x-amz-server-side-encryption-aws-kms-key-id": config.sse_kms_key_id,
        "x-amz-storage-class": config.storage_class,
        "x-amz-acl": config.acl,
        "x-amz-tagging": "&".join(f"{encoded(key)}={encoded(value)}" for key, value in config.tags.items()) or None,
        **{f"x-amz-meta-{key.lower()}": value for key, value in config.metadata.items()},
    }
    return {name: value for name, value in headers.items() if value is not None}
