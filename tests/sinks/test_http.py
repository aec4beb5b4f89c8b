from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter import config
from logrouter.errors import ConfigError
from logrouter.event import Flag
from logrouter.sinks import Batch, Delivered, Halve, Pause, Rejected, Request, Response, Retry, SinkContext
from logrouter.sinks.http import AnyHttpConfig, AnyHttpSink, Status
from logrouter.testing import assert_sink_contract, batch_of, converse, slice_of
from logrouter.values import Secret, revealed

URL = "https://example.org/in?key=k"
CHAT = {"text": "{service.name}: {message}", "blocks": [{"level": 3, "on": True, "none": None}, "{{fixed}}", {}, []]}


def sink(url: str = URL, **options: Any) -> AnyHttpSink:
    return AnyHttpSink(AnyHttpConfig(url=url, **options), SinkContext("hook", {"service.name": "checkout"}))


def requests_of(made: AnyHttpSink, batch: Batch, *answers: int) -> tuple[list[Request], Any]:
    """What it asks for, and what it says in the end. 0: nobody answers; after the last, 200."""
    statuses = iter(answers)

    def answer(request: Request) -> Response | None:
        status = next(statuses, 200)
        return Response(status, body=b"because") if status else None

    told, outcome = converse(made.send(batch), answer)
    return [item for item in told if isinstance(item, Request)], outcome


# ── a batch is a request ──

EVENTS = batch_of(slice_of([b'{"a":1}', b'say "hi"']), slice_of([b'{"b":\n2}']))


@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        ({}, b'{"a":1}\n{"message":"say \\"hi\\""}\n{"b":\n2}\n', "application/x-ndjson"),
        ({"format": "json_array"}, b'[{"a":1},{"message":"say \\"hi\\""},{"b":\n2}]', "application/json"),
        ({"format": "raw"}, b'{"a":1}\nsay "hi"\n{"b":\n2}\n', "text/plain; charset=utf-8"),
        ({"format": "raw", "content_type": "a/b"}, b'{"a":1}\nsay "hi"\n{"b":\n2}\n', "a/b"),
    ],
)
def test_formats(options: dict[str, Any], body: bytes, content_type: str) -> None:
    made = sink(**options)
    assert requests_of(made, EVENTS) == ([Request("POST", "", body)], Delivered())
    assert made.endpoint.url == URL
    assert made.endpoint.headers == {"Content-Type": content_type}


def test_what_proves_who_we_are_is_kept_secret_wherever_it_was_written() -> None:
    names = ["Authorization", "X-Api-Key", "Cookie", "PRIVATE-TOKEN", "X-Partition", "Keyed", "VL-Msg-Field"]
    made = AnyHttpConfig(url=URL, headers=dict.fromkeys(names, "text"), proxy="http://me:pass@proxy:3128")
    assert [name for name, text in made.headers.items() if isinstance(text, Secret)] == names[:4]
    assert isinstance(made.proxy, Secret)
    assert not isinstance(AnyHttpConfig(url=URL, proxy="http://proxy:3128").proxy, Secret)
    assert sink(headers={"Cookie": "a=b"}).endpoint.headers["Cookie"] == Secret("a=b")


def test_method_compression_and_what_is_included() -> None:
    made = sink(method="PUT", compression="zstd", compression_level=7, include=("service.name",), format="json_array")
    (request,), _ = requests_of(made, batch_of(slice_of([b"{}", b'{"a":1}'])))
    assert request == Request(
        "PUT", "", b'[{"service.name":"checkout"},{"a":1,"service.name":"checkout"}]', (), "zstd", 7
    )


def test_others_have_their_turn_after_each_slice() -> None:
    told, _ = converse(sink().send(EVENTS), lambda request: Response(200))
    assert [type(item) for item in told] == [Pause, Pause, Request]


def test_raw_joins_pieces_within_a_batch_and_sends_no_notice() -> None:
    part = slice_of([b"AA", b"BB", b"gap"], [Flag.PARTIAL_START, Flag.PARTIAL_END, Flag.JSON | Flag.NOTICE])
    (request,), _ = requests_of(sink(format="raw"), batch_of(part))
    assert request.body == b"AABB\n"
    notice = slice_of([b"{}"], [Flag.JSON | Flag.NOTICE])
    assert requests_of(sink(format="raw"), batch_of(notice)) == ([], Delivered())
    assert not sink(format="raw").told_of_gaps


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(status, Delivered()) for status in (200, 201, 202, 204)]
    + [(status, Halve(f"HTTP {status}", "because")) for status in (400, 413, 422)]
    + [(status, Retry(f"HTTP {status}: because")) for status in (301, 401, 403, 404, 405, 408, 409, 425, 500, 502)]
    + [(status, Retry(f"HTTP {status}: because", congested=True)) for status in (429, 503)],
)
def test_what_a_status_means(status: int, outcome: Any) -> None:
    assert requests_of(sink(), EVENTS, status)[1] == outcome


@pytest.mark.parametrize(
    "text",
    [
        "The plain HTTP request was sent to HTTPS port",
        "No required SSL certificate was sent",
        "The SSL certificate error",
        "Request Header Or Cookie Too Large",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
        "Client sent an HTTP request to an HTTPS server.",
    ],
)
def test_what_is_said_of_a_connection_is_no_fault_of_events(text: str) -> None:
    """As nginx, Apache and Go's net/http say it."""
    _, outcome = converse(sink().send(EVENTS), lambda request: Response(400, body=text.encode()))
    assert outcome == Retry(f"HTTP 400: {text}")


@pytest.mark.parametrize(
    ("option", "text", "status", "outcome"),
    [
        ("deliver_on", "409", 409, Delivered()),
        ("deliver_on", "4xx", 418, Delivered()),
        ("retry_on", "400", 400, Retry("HTTP 400: because")),
        ("retry_on", "200", 200, Retry("HTTP 200: because")),
        ("reject_on", "404", 404, Halve("HTTP 404", "because")),
        ("reject_on", "5xx", 503, Halve("HTTP 503", "because")),
    ],
)
def test_statuses_that_mean_something_else_here(option: str, text: str, status: int, outcome: Any) -> None:
    made = sink(**{option: (Status.parse(text),)})
    assert requests_of(made, EVENTS, status)[1] == outcome


def test_nobody_answers() -> None:
    assert requests_of(sink(), EVENTS, 0)[1] == Retry("nobody answers")


# ── an event is a request ──


def chat(*messages: str) -> Batch:
    columns = ([f"checkout: {message}" for message in messages],)
    return batch_of(slice_of([b"text"] * len(messages), columns=columns))


def test_a_body_is_filled_in() -> None:
    made = sink(body=CHAT)
    assert [str(template) for template in made.templates] == ["{service.name}: {message}"]
    requests, outcome = requests_of(made, chat('"}, "a": "', "ä\n\\"))
    assert [msgspec.json.decode(request.body) for request in requests] == [
        {"text": f"checkout: {text}", "blocks": [{"level": 3, "on": True, "none": None}, "{fixed}", {}, []]}
        for text in ('"}, "a": "', "ä\n\\")
    ]
    assert outcome == [Delivered(), Delivered()]
    assert made.endpoint.headers == {"Content-Type": "application/json"}


@given(texts=st.lists(st.text(), min_size=1, max_size=4), key=st.text(max_size=5))
def test_whatever_an_event_holds_it_stays_inside_its_text(texts: list[str], key: str) -> None:
    made = sink(body={key: ["{a}", {"b": "x{b}y"}]})
    part = slice_of([b"{}"] * len(texts), columns=(texts, "same"))
    requests, _ = requests_of(made, batch_of(part))
    replaced = [text.encode("utf-8", "replace").decode() for text in texts]
    assert [msgspec.json.decode(request.body) for request in requests] == [
        {key: [text, {"b": "same"}]} for text in replaced
    ]


def test_a_body_of_text_is_sent_as_it_is() -> None:
    made = sink(body="{message}!")
    part = slice_of([b"a", b"b"], columns=(['"a"!', "b!"],))
    assert [request.body for request in requests_of(made, batch_of(part))[0]] == [b'"a"!', b"b!"]
    assert made.endpoint.headers == {"Content-Type": "text/plain; charset=utf-8"}


def test_a_body_that_is_always_the_same_is_sent_for_each_event() -> None:
    assert [request.body for request in requests_of(sink(body=[1]), batch_of(slice_of([b"a", b"b"])))[0]] == [
        b"[1]"
    ] * 2


def test_each_event_has_its_outcome_and_none_overtakes() -> None:
    batch = chat(*"abcde")
    requests, outcome = requests_of(sink(body=CHAT), batch, 200, 400, 413, 500)
    assert len(requests) == 4
    rejected = [Rejected("HTTP 400", "because"), Rejected("HTTP 413", "because")]
    assert outcome == [Delivered(), *rejected, Retry("HTTP 500: because"), Retry("HTTP 500: because")]
    requests, outcome = requests_of(sink(body=CHAT), batch, 200, 0)
    assert (len(requests), outcome) == (2, [Delivered(), *[Retry("nobody answers")] * 4])


def test_single_events_do_not_wait_for_others() -> None:
    made = sink(body=CHAT)
    assert (made.concurrency, made.batching.age_seconds, made.batching.events) == (1, 0.0, 100)
    assert (sink().concurrency, sink().batching.age_seconds) == (4, 1.0)


# ── probing ──


HEAD = Request("HEAD", "")


def probed(made: AnyHttpSink, head: int, answer: Response | None = None) -> tuple[list[Request], list[str]]:
    """What it asks where HEAD is answered so, and the rest so; and what it says is wrong."""
    answers = {"HEAD": Response(head)} | ({"POST": answer} if answer is not None else {})
    told, found = converse(made.probe(), lambda request: answers[request.method])
    return [instruction for instruction in told if isinstance(instruction, Request)], found


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        (401, "the credentials are refused (HTTP 401)"),
        (403, "the credentials are refused (HTTP 403)"),
        (407, "the proxy wants other credentials (HTTP 407)"),
        (502, "HEAD is answered by HTTP 502"),
    ],
)
def test_what_a_probe_is_told_by_head(status: int, wrong: str) -> None:
    assert probed(sink(), status) == ([HEAD], [wrong])


@pytest.mark.parametrize("head", [200, 302, 404, 405, 500])
@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Response(204), []),
        (Response(400, body=b"nothing in it"), []),
        (Response(422), []),
        (Response(401), ["the credentials are refused (HTTP 401)"]),
        (Response(404), ["there is nothing at this URL that takes POST (HTTP 404)"]),
        (Response(405), ["POST is not what it takes (HTTP 405): set method"]),
        (Response(415), ["it does not take this content_type, or this compression (HTTP 415)"]),
        (Response(503, body=b"try later"), ["POST is answered by HTTP 503: try later"]),
        (
            Response(301, {"location": "https://u:p@b.example/x?key=1"}),
            ["it redirects to https://b.example (HTTP 301), and no redirect is followed: correct the URL"],
        ),
        (Response(308), ["it redirects elsewhere (HTTP 308), and no redirect is followed: correct the URL"]),
    ],
)
def test_a_probe_sends_a_batch_without_events(head: int, answer: Response, wrong: list[str]) -> None:
    requests, found = probed(sink(), head, answer)
    assert (found, [request.method for request in requests]) == (wrong, ["HEAD", "POST"])
    assert requests[1].body == b""


def test_what_a_probe_sends_is_what_a_batch_would_be() -> None:
    requests, found = probed(
        sink(format="json_array", compression="gzip", retry_on=(Status("400"),)), 404, Response(400)
    )
    assert (requests[1].body, requests[1].coding) == (b"[]", "gzip")
    assert found == ["POST is answered by HTTP 400"]


@pytest.mark.parametrize("options", [{"format": "raw"}, {"body": CHAT}, {"body": "{message}"}])
def test_what_might_be_an_event_no_probe_sends(options: dict[str, Any]) -> None:
    assert probed(sink(**options), 404) == ([HEAD], [])


# ── options ──


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("format: template", "sinks.x: format: a template needs a body"),
        ("format: raw, body: {a: b}", "sinks.x: body: with a body, the format is template, not raw"),
        ("compression: gzip, compression_level: 10", "sinks.x: compression_level: of gzip it is from 1 to 9"),
        ("compression_level: 1", "sinks.x: compression_level: nothing is compressed"),
        ("retry_on: [600]", "sinks.x.retry_on.0: expected a status such as 409 or 5xx, not '600'"),
        ("proxy: 'socks5://u:hidden@p:1'", "sinks.x: proxy: expected http://host:port or https://host:port"),
        ("headers: {'a b': c}", "sinks.x: headers: 'a b' is no name of a header"),
        (
            'headers: {a: "b\\nc"}',
            "sinks.x: headers: the text of 'a' holds a character that no header can, or a blank at an end",
        ),
        ("token: ''", "sinks.x: token: empty: leave it out where there is none"),
        ("body: {text: '{message'}", "sinks.x: a brace is not closed"),
    ],
)
def test_options_that_are_refused(options: str, problem: str) -> None:
    text = f"sinks: {{x: {{type: http, url: 'https://example.org', {options}}}}}"
    with pytest.raises(ConfigError) as error:
        config.load((), {"LOGROUTER_CONFIG_YAML": text})
    assert [mistake.problem for mistake in error.value.mistakes] == [problem]


@pytest.mark.parametrize(
    ("query", "is_secret"),
    [
        ("", False),
        ("?tenant=shop&pretty", False),
        ("?tenant=a-token", False),
        ("?tenant=shop&api_key=x", True),
        ("?api%5fkey=x", True),
        ("?TOKEN=x", True),
        ("?key=x", True),
        ("?keyed=x", False),
        ("?dd-api-key=x", True),
    ],
)
def test_a_url_whose_query_proves_who_we_are_is_a_secret(query: str, is_secret: bool) -> None:
    made = AnyHttpConfig(url=URL.partition("?")[0] + query)
    assert isinstance(made.url, Secret) is is_secret
    assert revealed(made.url) == URL.partition("?")[0] + query


@pytest.mark.parametrize("url", ["https://", "https:///x", "https://h:99999", "https://h:x", "ftp://h", "https://a b"])
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: "):
        sink(url)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http+https://h/in?a=1&b=2", "https://h/in?a=1&b=2"),
        ("http+http://h:8080", "http://h:8080"),
        ("http+https://u:p@h/in?a=1", "https://h/in?a=1"),
    ],
)
def test_as_a_url_the_query_is_the_endpoints(url: str, found: str) -> None:
    settings = config.load((), {"LOGROUTER_SINK_X": url})
    assert settings.sinks["x"].type == "http"
    assert settings.sinks["x"].config.url == found  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["x@evil.example:443/#", "evil.example/?", "a:b@evil.example", "evil.example:80"])
def test_a_hostile_value_does_not_change_the_host(value: str) -> None:
    text = "sinks: {x: {type: http, url: 'https://logs.example.org/in/${TENANT}?t=${TENANT}'}}"
    settings = config.load((), {"LOGROUTER_CONFIG_YAML": text, "TENANT": value})
    url: str = settings.sinks["x"].config.url  # type: ignore[attr-defined]
    made = sink(url)
    parts = urlsplit(made.endpoint.url)
    assert (parts.netloc, parts.fragment) == ("logs.example.org", "")
    assert (unquote(parts.path), unquote(parts.query)) == (f"/in/{value}", f"t={value}")


@pytest.mark.parametrize("value", ["x@evil.example:443/#", "evil.example/", "a%2fb"])
def test_a_hostile_value_in_the_place_of_the_host_is_refused(value: str) -> None:
    text = "sinks: {x: {type: http, url: 'https://${HOST}.example.org/'}}"
    with pytest.raises(ConfigError) as error:
        config.load((), {"LOGROUTER_CONFIG_YAML": text, "HOST": value})
    assert "evil" not in str(error.value)


def test_a_secret_url_is_never_shown() -> None:
    made = sink(Secret("https://hooks.example.org/services/T0/B0/hidden"))
    assert made.endpoint.url == "https://hooks.example.org/services/T0/B0/hidden"
    assert "hidden" not in repr(made.config)
    assert "hidden" not in repr(made.endpoint)


def test_what_has_no_effect_is_warned_of() -> None:
    assert AnyHttpSink.warnings(AnyHttpConfig(url=URL, body=CHAT)) == []
    assert AnyHttpSink.warnings(AnyHttpConfig(url=URL, body=CHAT, include=("meta",))) == [
        "include: with a body nothing is added to events: name it in the body"
    ]


def test_every_part_of_an_option_can_be_a_variable() -> None:
    environ = {
        "LOGROUTER_SINK_ES": "http+https://example.org/in",
        "LOGROUTER_SINK_ES__TLS__CA_FILE": "/etc/ca.pem",
        "LOGROUTER_SINK_ES__TIMEOUTS__READ": "5s",
        "LOGROUTER_SINK_ES__BATCH__AGE": "3s",
        "LOGROUTER_SINK_ES__RETRY__GIVE_UP": "never",
        "LOGROUTER_SINK_ES__HEADERS": "{X-A: b}",
        "LOGROUTER_SINK_ES__RETRY_ON": "400,5xx",
    }
    made: Any = config.load((), environ).sinks["es"].config
    assert (made.tls.ca_file, made.timeouts.read, made.batch.age) == ("/etc/ca.pem", 5.0, 3.0)
    assert (made.retry.give_up, made.headers, made.retry_on) == ("never", {"X-A": "b"}, ("400", "5xx"))


def test_a_part_that_is_not_there_is_told() -> None:
    environ = {"LOGROUTER_SINK_ES": "http+https://example.org", "LOGROUTER_SINK_ES__TLS__CAFILE": "/etc/ca.pem"}
    with pytest.raises(ConfigError) as error:
        config.load((), environ)
    assert str(error.value) == (
        "LOGROUTER_SINK_ES__TLS__CAFILE: unknown key 'cafile' in sinks.es.tls (did you mean 'ca_file'?)"
    )


@pytest.mark.parametrize(
    "options", [{"format": "json_array"}, {"format": "raw"}, {"body": CHAT}, {"body": "{message}"}]
)
def test_the_contract_in_every_format(options: dict[str, Any]) -> None:
    assert_sink_contract(sink(Secret("https://example.org/hidden/key"), token=Secret("hidden-token"), **options))
