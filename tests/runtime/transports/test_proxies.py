"""Which proxy the environment names for whom."""

from __future__ import annotations

import pytest

from logrouter.runtime.transports.proxies import proxy_of_environment, proxy_url


def proxy_for(url: str, monkeypatch: pytest.MonkeyPatch, **variables: str) -> str | None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    return proxy_of_environment(scheme, host.strip("[]"), int(port))


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "http://es:80", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://es:80", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://es:443", None),
        ({"HTTPS_PROXY": "p:1"}, "https://es:443", "http://p:1"),
        ({"HTTPS_PROXY": "https://p:1", "ALL_PROXY": "socks5://p:2"}, "https://es:443", "https://p:1"),
        ({"HTTPS_PROXY": "https://p:1", "ALL_PROXY": "socks5://p:2"}, "http://es:80", "socks5://p:2"),
        ({"HTTP_PROXY": "", "ALL_PROXY": "p:2"}, "http://es:80", "http://p:2"),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": "http://p:2"}, "http://es:80", "http://p:2"),
    ],
)
def test_the_variable_of_the_scheme_decides_else_that_of_all(
    variables: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert proxy_for(url, monkeypatch, **variables) == proxy


@pytest.mark.parametrize(
    ("exempt", "url", "is_exempt"),
    [
        ("", "http://es:80", False),
        (",, ", "http://es:80", False),
        ("*", "http://es:80", True),
        ("other, *", "http://es:80", True),
        ("es", "http://es:80", True),
        ("ES.example.org", "http://es.example.org:80", True),
        ("example.org", "http://es.example.org:80", True),
        (".example.org", "http://es.example.org:80", True),
        ("*.example.org", "http://es.example.org:80", True),
        ("example.org", "http://notexample.org:80", False),
        ("es.example.org", "http://example.org:80", False),
        ("example.org:9200", "http://es.example.org:9200", True),
        ("example.org:9200", "http://es.example.org:80", False),
        ("127.0.0.1", "http://127.0.0.1:80", True),
        ("127.0.0.1", "http://127.0.0.2:80", False),
        ("10.0.0.0/8", "http://10.1.2.3:80", True),
        ("10.0.0.0/8", "http://11.1.2.3:80", False),
        ("10.0.0.0/8", "http://es:80", False),
        ("::1", "http://[::1]:80", True),
        ("[::1]", "http://[::1]:80", True),
        ("[::1]:9200", "http://[::1]:9200", True),
        ("fd00::/8", "http://[fd12::1]:80", True),
    ],
)
def test_who_is_exempt(exempt: str, url: str, is_exempt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = proxy_for(url, monkeypatch, ALL_PROXY="http://p:1", NO_PROXY=exempt)
    assert found == (None if is_exempt else "http://p:1")


def test_a_scheme_need_not_be_named() -> None:
    assert (proxy_url("p:1"), proxy_url("https://p:1")) == ("http://p:1", "https://p:1")
