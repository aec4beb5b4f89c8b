"""Pages of HTML as texts of one line: as nginx, Apache, HAProxy and Cloudflare write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.pages import heading_of, is_page, text_of

NGINX = """<html>\r
<head><title>401 Authorization Required</title></head>\r
<body>\r
<center><h1>401 Authorization Required</h1></center>\r
<hr><center>nginx/1.22.1</center>\r
</body>\r
</html>\r
"""
APACHE = """<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
<html><head>
<title>401 Unauthorized</title>
</head><body>
<h1>Unauthorized</h1>
<p>This server could not verify that you
are authorized.</p>
</body></html>
"""
HAPROXY = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>"
CLOUDFLARE = """<!DOCTYPE html>
<!--[if lt IE 7]> <html class="no-js ie6 oldie" lang="en-US"> <![endif]-->
<head><title>logs.example.org | 502: Bad gateway</title><meta charset="UTF-8" />
<style>body{margin:0}"""


@pytest.mark.parametrize(
    ("page", "heading", "text"),
    [
        (NGINX, "401 Authorization Required", "401 Authorization Required nginx/1.22.1"),
        (
            APACHE,
            "401 Unauthorized",
            "Unauthorized This server could not verify that you are authorized.",
        ),
        (
            HAPROXY,
            "503 Service Unavailable",
            "503 Service Unavailable No server is available to handle this request.",
        ),
        (
            "<html><title>400 No SSL</title><h1>400 Bad Request</h1><center>No SSL</center>",
            "400 No SSL",
            "400 Bad Request No SSL",
        ),
        ("<html><title>Grafana</title><body>Sign in</body>", "Grafana", "Grafana: Sign in"),
        (CLOUDFLARE, "logs.example.org | 502: Bad gateway", "logs.example.org | 502: Bad gateway"),
        (" \n<HTML><BODY>no</BODY>", "", "no"),
        ("<!-- 1 --><!doctype html><title> </title><script>let a = '<p>'</script >b&lt;", "", "b&lt;"),
        ("<html><style>" + "x" * 5000 + "</style>far", "", ""),
    ],
)
def test_what_a_page_says(page: str, heading: str, text: str) -> None:
    assert is_page(page.encode())
    assert (heading_of(page.encode()), text_of(page.encode())) == (heading, text)


@pytest.mark.parametrize("body", [b"", b"404 page not found", b'{"html":"<html>"}', b"<Error><Code>x</Code></Error>"])
def test_what_is_no_page(body: bytes) -> None:
    assert not is_page(body)
    assert heading_of(body) == ""


@given(st.text(alphabet="<>!-/ htmlscriptey1").map(lambda text: f"<html>{text}".encode()))
def test_whatever_a_page_holds_it_is_one_line_without_tags(page: bytes) -> None:
    text = text_of(page)
    assert "<" not in text
    assert "\n" not in text


@pytest.mark.parametrize("repeated", ["<style", "<!--", "<title ", "<h1 ", "<", "<title>a<"])
def test_a_page_takes_no_longer_for_what_it_repeats(repeated: str) -> None:
    """Its beginning is what is looked at: a thousand times as much takes as long."""
    assert len(text_of(b"<html>" + repeated.encode() * 1_000_000)) <= 4096
