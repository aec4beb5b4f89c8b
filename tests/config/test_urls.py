from __future__ import annotations

import pytest

from logrouter.config.urls import Url, UrlError, split_url

TYPES = ("file", "stdout", "elasticsearch")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("stdout", Url("stdout", "stdout")),
        ("stdout:", Url("stdout", "stdout:")),
        ("stdout?format=raw", Url("stdout", "stdout", (("format", "raw"),))),
        ("file:a.ndjson", Url("file", "file:a.ndjson")),
        ("file:///var/log/{service.name}/{date}.ndjson", Url("file", "file:///var/log/{service.name}/{date}.ndjson")),
        ("file:a?format=raw&match=a%20%26b+c", Url("file", "file:a", (("format", "raw"), ("match", "a &b+c")))),
        ("elasticsearch+https://es:9200", Url("elasticsearch", "elasticsearch+https://es:9200")),
        (
            "elasticsearch+https://u%40:p%3A%2F@es:9200/x?a=1",
            Url("elasticsearch", "elasticsearch+https://es:9200/x", (("a", "1"),), "u@", "p:/"),
        ),
        ("elasticsearch+https://u@es", Url("elasticsearch", "elasticsearch+https://es", (), "u", None)),
        ("http://h/p?tenant=a", Url("http", "http://h/p?tenant=a")),
        ("https://u:p@h/p?tenant=a", Url("https", "https://h/p?tenant=a", (), "u", "p")),
        ("file:a@b//c@d", Url("file", "file:a@b//c@d")),
    ],
)
def test_split(text: str, url: Url) -> None:
    assert split_url(text, TYPES) == url


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("fil:x", "unknown scheme 'fil'", "did you mean 'file'?"),
        ("FILE:x", "unknown scheme 'FILE'", "did you mean 'file'?"),
        ("kafka://h", "unknown scheme 'kafka'", "known are: file, stdout, elasticsearch"),
        ("/var/log/x", "expected a URL such as file:errors.ndjson", "write file:/var/log/x"),
        ("errors.ndjson", "expected a URL such as file:errors.ndjson", "write file:errors.ndjson"),
        ("logs/x", "expected a URL such as file:errors.ndjson", "write file:logs/x"),
        ("", "expected a URL such as file:errors.ndjson", None),
        ("{date}", "expected a URL such as file:errors.ndjson", None),
        ("file:a#b", "a URL of a sink has no '#'", "write %23"),
        ("file:a?format", "expected key=value in the query, not 'format'", None),
        ("elasticsearch+https://a%2fb/", "the host holds a character that no host has", None),
    ],
)
def test_refused(text: str, problem: str, hint: str | None) -> None:
    with pytest.raises(UrlError) as caught:
        split_url(text, TYPES)
    assert (str(caught.value), caught.value.hint) == (problem, hint)
