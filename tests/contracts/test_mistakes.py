"""All that is wrong with the options of one component is told at once, each at its place."""

from __future__ import annotations

import re

import pytest

from logrouter.config import load
from logrouter.errors import ConfigError


def told(variables: dict[str, str]) -> list[str]:
    """The problems that the config has, without their hints."""
    with pytest.raises(ConfigError) as caught:
        load(environ=variables)
    return [re.sub(r"^(steps|sinks|sources)[\w.]+: ", "", mistake.problem) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("step", "problems"),
    [
        (
            'redact: {fields: [meta.host, a, meta.file], patterns: ["(", emial, "a*"], with: hash}',
            [
                "with: hash needs a key, best from a file: key_file",
                "meta.host cannot be redacted: it is no field of the event",
                "meta.file cannot be redacted: it is no field of the event",
                "the regular expression is wrong: missing ), unterminated subpattern",
                "there is no preset 'emial'",
                "the regular expression matches an empty text, and so would redact nothing or all",
            ],
        ),
        (
            "redact: {key: k}",
            ["expected fields or patterns to redact", "a key is for with: hash, and this is with: mask"],
        ),
        (
            "hash: {fields: [meta.host, a, meta.file], into: meta.x, digits: 1, buckets: 1}",
            [
                "digits: expected 4 to 64, not 1",
                "buckets: expected 2 or more, not 1",
                "meta.host cannot be hashed: it is no field of the event",
                "meta.file cannot be hashed: it is no field of the event",
                "there is no attribute 'x'",
            ],
        ),
        (
            "rename: {meta.host: meta.file, meta.stream: a}",
            [
                "meta.host cannot be renamed: it is no field of the event",
                "meta.file cannot be set: it is no field of the event",
                "meta.stream cannot be renamed: it is no field of the event",
            ],
        ),
        (
            'set: {severity: 1, meta.host: {a: "{"}, b: ["{}"]}',
            [
                "severity cannot be set: it is read from the event's level",
                "meta.host cannot be set: it is no field of the event",
                "a brace is not closed",
                "the braces name nothing",
            ],
        ),
        (
            "convert: {fields: {meta.host: int, meta.file: int}, timezone: x}",
            [
                "timezone: expected an IANA name such as Europe/Stockholm, not 'x'",
                "meta.host cannot be converted: it is no field of the event",
                "meta.file cannot be converted: it is no field of the event",
            ],
        ),
        (
            "truncate: {fields: [meta.host], characters: 1, event: 1B, count: severity}",
            [
                "characters: expected 20 or more, as the marker may take so many",
                "meta.host cannot be truncated: it is no field of the event",
                "severity cannot be set: it is read from the event's level",
            ],
        ),
        (
            "flatten: {depth: 0, separator: '', fields: [meta.host]}",
            [
                "depth: expected 1 or more, not 0",
                "separator: expected some text, as the names could not be told apart without",
                "meta.host cannot be flattened: it is no field of the event",
            ],
        ),
        (
            "split: {field: meta.host, number: severity, max_events: 1}",
            [
                "max_events: expected 2 or more, not 1",
                "meta.host cannot be split: it is no field of the event",
                "severity cannot be set: it is read from the event's level",
            ],
        ),
        (
            "parse: {with: none, field: meta.host, into: severity}",
            [
                "with: expected a parser, not none",
                "meta.host cannot be parsed: it is no field of the event",
                "severity cannot be set: it is read from the event's level",
            ],
        ),
        (
            "python: {timeout: 0s}",
            ["expected one of code, file and module, not none of them", "timeout: must be more than 0"],
        ),
        (
            "dedupe: {by: [meta.x, '{'], ignore: [a], count_field: severity}",
            [
                "ignore: what is not in `by` does not matter anyway",
                "there is no attribute 'x'",
                "a brace is not closed",
                "severity cannot be set: it is read from the event's level",
            ],
        ),
        (
            "throttle: {rate: 1/s, by: [meta.x, '{'], count_field: severity}",
            [
                "there is no attribute 'x'",
                "a brace is not closed",
                "severity cannot be set: it is read from the event's level",
            ],
        ),
        (
            "sample: {keep: 2, by: [meta.x, '{'], rate_field: severity}",
            [
                "keep: expected a part of the events, more than 0 and at most 1, not 2",
                "there is no attribute 'x'",
                "a brace is not closed",
                "severity cannot be set: it is read from the event's level",
            ],
        ),
    ],
)
def test_of_steps(step, problems):
    assert told({"LOGROUTER_STEPS": f"- {step}"}) == problems


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        (
            {"TYPE": "file", "PATH": "a/", "KEEP": "0", "MAX_OPEN_FILES": "0"},
            ["path: 'a/' names no file", "keep: at least 1 rotated file is kept", "max_open_files: at least 1"],
        ),
        (
            {"URL": "s3://B/", "SESSION_TOKEN": "x", "OBJECT_AGE": "0s"},
            [
                "bucket: 'B' cannot be the name of a bucket",
                "object_age: must be more than 0",
                "session_token: it belongs to an access_key_id",
            ],
        ),
        (
            {"URL": "http+http://a/", "CONCURRENCY": "0", "PASSWORD": "x", "FORMAT": "template"},
            [
                "password: a password needs a user",
                "concurrency: must be more than 0",
                "format: a template needs a body",
            ],
        ),
        (
            {"URL": "elasticsearch+http://a/", "API_KEY": "", "TOKEN": "", "COMPRESSION_LEVEL": "0", "INDEX": "_x"},
            [
                "token: empty: leave it out where there is none",
                "api_key: either an API key, or a token, or user and password",
                "api_key: empty: leave it out where there is none",
                "compression_level: must be from 1 to 9",
                "index: '_x': names are in lower case",
            ],
        ),
        (
            {"TYPE": "metrics", "METRICS": "{a: {type: histogram, labels: {le: x, a-b: y}, buckets: [2, 1]}}"},
            [
                "value: a histogram needs the field that holds its number",
                "labels: 'le' is no name that Prometheus takes for a label of a histogram",
                "labels: 'a-b' is no name that Prometheus takes for a label of a histogram",
                "buckets: expected numbers in ascending order",
            ],
        ),
    ],
)
def test_of_sinks(options, problems):
    found = told({f"LOGROUTER_SINK_X__{name}".removesuffix("__URL"): text for name, text in options.items()})
    assert len(found) == len(problems)
    assert [text[: len(problem)] for text, problem in zip(found, problems, strict=True)] == problems


def test_of_sources():
    options = {"TYPE": "file", "INCLUDE": '["a/", "~/b"]', "POLL_INTERVAL": "1ms", "MAX_LINE": "1B"}
    assert told({f"LOGROUTER_SOURCE_X__{name}": text for name, text in options.items()}) == [
        "max_line: at least 64B, not 1B",
        "poll_interval: at least 10ms, not 1ms",
        "include: 'a/' names no file; for all files in a folder write a/*",
        "include: ~ is not expanded; write the whole path",
    ]


def test_of_parsers():
    parse = "{auto: {formats: [clff, json, csv], timezone: x}}"
    assert told({"LOGROUTER_SOURCE_X__TYPE": "stdin", "LOGROUTER_SOURCE_X__PARSE": parse}) == [
        "timezone: expected an IANA name such as Europe/Stockholm, not 'x'",
        "formats: unknown parser 'clff' (did you mean 'clf'?)",
        "formats: nearly any line could be csv: name it in the list beside auto",
    ]
    parse = "{csv: {columns: [a, a], types: {b: int, c: int}, separator: ab}}"
    assert told({"LOGROUTER_SOURCE_X__TYPE": "stdin", "LOGROUTER_SOURCE_X__PARSE": parse}) == [
        "columns: expected at least one name, and none twice",
        "types: there is no column 'b'",
        "types: there is no column 'c'",
        "separator: expected one ASCII character, not 'ab'",
    ]
