"""What each preset must find, wherever it stands, and what it must leave: each with where the shape comes from."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from logrouter.redaction import PRESETS, Scrubber, detectors

HEX, LETTERS = "0123456789abcdef", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3gH5"
PEM = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"


def key(begin: str, rest: str) -> str:
    """Put together here, so that no scanner of repositories takes it for one that leaked."""
    return begin + rest


VECTORS: dict[str, list[str]] = {
    "email": [  # RFC 5321, 5322, 6531
        "jane@example.com",
        "jane.doe+tag@mail.example.co.uk",
        "o'brien@example.ie",
        "größe@exämple.de",
        "x_1-2@sub.example-site.org",
    ],
    "ipv4": ["10.1.2.3", "255.255.255.255", "0.0.0.0", "192.168.0.1"],  # RFC 791
    "ipv6": [  # RFC 4291 §2.2, RFC 5952
        "2001:db8:0:0:8:800:200c:417a",
        "2001:DB8::8:800:200C:417A",
        "FF01::101",
        "::1",
        "2001:db8::",
        "::ffff:129.144.52.38",
        "::13.1.68.3",
        "fe80::1ff:fe23:4567:890a",
        "1:2:3:4:5:6:7::",
    ],
    "card": [  # the test numbers of Stripe, Adyen, PayPal
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "6011111111111117",
        "30569309025904",
        "2223003122003222",
        "3566002020360505",
        "6200000000000005",
    ],
    "iban": [
        "DE89370400440532013000",
        "GB82 WEST 1234 5698 7654 32",
        "NO9386011117947",
        "FR14 2004 1010 0505 0001 3M02 606",
    ],
    "jwt": [  # RFC 7519 §3.1, §6.1; RFC 7516 §3.3 has five parts
        f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        f"eyJhbGciOiJub25lIn0.{CLAIMS}.",
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2oja.48V1_ALb6US04U3b.5eym8TW_c8SuK.XFBoMYUZode",
    ],
    "aws_key": [key("AKIA", "IOSFODNN7EXAMPLE"), key("ASIA", "IOSFODNN7EXAMPLE")],
    "private_key": [  # RFC 7468 §10, §11, §13; RFC 5915; OpenSSH's PROTOCOL.key; RFC 4880 §6.2
        *(
            f"-----BEGIN {kind}PRIVATE KEY{block}-----\n{PEM}\n-----END {kind}PRIVATE KEY{block}-----"
            for kind, block in [
                ("", ""),
                ("RSA ", ""),
                ("EC ", ""),
                ("ENCRYPTED ", ""),
                ("OPENSSH ", ""),
                ("PGP ", " BLOCK"),
            ]
        ),
        f"-----BEGIN PRIVATE KEY-----\\n{PEM}\\n-----END PRIVATE KEY-----".replace("\n", "\\n"),
        f"PuTTY-User-Key-File-3: ssh-ed25519\n{PEM}\nPrivate-MAC: {HEX * 4}",
    ],
    "api_key": [  # as the vendors' own pages about their tokens have them
        key("ghp_", LETTERS),
        key("gho_", LETTERS),
        key("ghu_", LETTERS),
        key("ghs_", LETTERS),
        key("ghr_", LETTERS),
        key("github_pat_", f"{LETTERS[:22]}_{LETTERS}"),
        key("glpat-", LETTERS[:20]),
        key("glrt-", LETTERS[:20]),
        key("gldt-", LETTERS[:20]),
        key("glptt-", LETTERS),
        key("xoxb-", f"123456789012-1234567890123-{LETTERS[:24]}"),
        key("xoxp-", f"1-2-3-{HEX * 2}"),
        key("xapp-", f"1-A0123456789-1234567890123-{HEX * 4}"),
        key("xoxe.xoxp-", f"1-{LETTERS}"),
        key("hooks.slack.com/", f"services/T01234567/B01234567/{LETTERS[:24]}"),
        key("sk_live_", LETTERS[:24]),
        key("rk_live_", LETTERS[:24]),
        key("sk_test_", LETTERS[:24]),
        key("whsec_", LETTERS[:32]),
        key("AIza", LETTERS[:35]),
        key("GOCSPX-", LETTERS[:28]),
        key("ya29.", f"a0{LETTERS}"),
        key("SG.", f"{LETTERS[:22]}.{LETTERS}abcdefg"),
        key("npm_", LETTERS),
        key("pypi-AgE", LETTERS * 2),
        key("dckr_pat_", LETTERS[:27]),
        key("sk-ant-", f"api03-{LETTERS * 2}"),
        key("sk-proj-", LETTERS * 2),
        key("sk-", (LETTERS * 2)[:48]),
        key("hf_", LETTERS[:34]),
        key("AccountKey=", f"{LETTERS * 2}abcdefghijklmn=="),
        key("SharedAccessKey=", f"{LETTERS}abcdefg="),
        key("sig=", f"{LETTERS}abcdefg%3D"),
        key("hvs.", LETTERS[:24]),
        key("dop_v1_", HEX * 4),
        key("dapi", HEX * 2),
        key("shpat_", HEX * 2),
        key("ATATT3", f"xFfGF0{LETTERS * 3}"),
        key("HRKU-", LETTERS),
        key("lin_api_", LETTERS),
        key("glsa_", f"{LETTERS[:32]}_{HEX[:8]}"),
        key("AGE-SECRET-KEY-1", "QPZRY9X8GF" * 6)[:74],
        key("key-", HEX * 2),
        key("SK", HEX * 2),
        key("123456789:AA", LETTERS[:33]),
    ],
}
"""The whole text is private."""
SECRET = "hunter2-hunter2"
BASIC = base64.b64encode(b"Aladdin:open sesame").decode()
WRAPPED: dict[str, list[tuple[str, str]]] = {
    "bearer": [("Authorization: Bearer {}", "mF_9.B5f-4.1JqM"), ('"authorization":"bearer {}"', "abcdef0123456789==")],
    "basic": [  # RFC 7617 §2
        ("Authorization: Basic {}", BASIC),
        ('{{"Authorization":"Basic {}"}}', BASIC),
        ("proxy-authorization=basic%20{}", BASIC),
        ("sent basic {} to it", base64.b64encode(b"a:b").decode()),
        ("Authorization: Basic {}", "not+base64=="),
    ],
    "url_password": [
        ("postgres://app:{}@db:5432/x", "s3cr:e@t"),
        (r"redis:\/\/:{}@cache", "pw"),
        ("amqps://u:{}@h", "p%40w"),
    ],
    "aws_key": [("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")],
    "password": [
        ("password={} next", SECRET),
        ("PASSWORD: {}", SECRET),
        ("db_passwd='{}'", "a b c"),
        ('"password":"{}"', "with blanks, and more"),
        (r"{{\"client_secret\":\"{}\"}}", SECRET),
        ("?user=x&api_key={}&page=2", SECRET),
        ("access_token%3D{}", "abc123"),
        ("Pwd={};Server=x", SECRET),
        ("API-KEY: {}", SECRET),
        ("refresh_token = {}", SECRET),
    ],
}
"""What is private stands in a text that is not."""

LEFT: dict[str, list[str]] = {
    "email": ["@decorator", "a@b", "user@localhost", "5 @ 3.50", "git@github", "#@!"],
    "ipv4": ["1.2.3", "1.2.3.4.5", "256.1.1.1", "v1.2.3.400", "01.2.3.4", "version 2.10.1"],
    "ipv6": [
        "12:34:56",
        "2026-11-29T23:44:26",
        "00:1a:2b:3c:4d:5e",
        "std::string",
        "a::b::c",
        "::",
        "x::1::2",
        "1:2:3:4:5:6:7:8:9",
        "12345::1",
        "g::1",
        "key:value:3",
        "10:20",
        ":1:",
        "ab:cd:ef:" + ":".join(["01"] * 17),
        "foo::bar1",
        "::1.2.3",
    ],
    "card": [
        "4111111111111112",
        "1700000000000",
        "17000000000001234",
        "2026-11-29 10:00:00 123456",
        "a" * 16,
        "0" * 16,
        "4bf92f3577b34da6a34146108396323c",
        "a4111111111111111",
        "4111111111111111f",
    ],
    "iban": ["be4261ae89e2b6ee", "DE88370400440532013000", "XX89370400440532013000", "AB12CD34EF56", "TR12"],
    "jwt": ["eyJ", "a.b.c", "eyJhbGciOi.x", "1.2.3", "www.example.com"],
    "bearer": ["the bearer of news", "bearer authentication failed", "Bearer"],
    "basic": ["basic authentication failed", "Basic auth", "the basic idea", "Basic2", "visual basic code here"],
    "aws_key": ["AKIA", "AKIAshort", f"sha {'a' * 40}"],
    "url_password": ["http://host:80/a?b=c@d", "https://me@host/", "ftp://u:@h", "mailto:a@b.c"],
    "private_key": [
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "BEGIN PRIVATE KEY",
        "-----BEGIN PUBLIC KEY-----",
    ],
    "api_key": [
        "task-1234567890123456789012345678901234567890",
        "ghp_short",
        "npm_config_registry",
        "sk-learn",
        "key-value",
        "hf_transfer",
        "SKIPPED",
        f"SK{HEX * 3}",
        "123e4567-e89b-12d3-a456-426614174000",
        f"sha256:{HEX * 4}",
        "sig=1",
        "desk-top",
        "risk-" + "a" * 50,
        f"key-{HEX[:8]}-{HEX[:4]}",
        "SG.1.2",
        "xoxb",
        "AIza",
    ],
    "password": [
        "the password is wrong",
        "password must not be empty",
        "token expired",
        "monkey=banana",
        "keyboard: qwerty",
        "key=value",
        "passwords",
        "secretary: Ann",
        "tokenizer=bpe",
        "primary key: id",
    ],
}
AROUND = ["{}", "x {} y", '"{}"', "({})", "[{}],", "a={}", "<{}>", "at {}, y"]


def scrubber(*patterns: str) -> Scrubber:
    return Scrubber(detectors(patterns), lambda text, name: f"<{name}>")


def test_each_preset_has_vectors() -> None:
    assert VECTORS.keys() | WRAPPED.keys() == PRESETS.keys() == LEFT.keys()


@pytest.mark.parametrize(("preset", "secret"), [(name, text) for name, texts in VECTORS.items() for text in texts])
def test_it_is_found_wherever_it_stands(preset: str, secret: str) -> None:
    for around in AROUND:
        assert scrubber(preset).text(around.format(secret)) == around.format(f"<{preset}>")
    assert secret not in scrubber("all").text(f"x {secret} y")


@pytest.mark.parametrize(
    ("preset", "around", "secret"), [(name, *each) for name, texts in WRAPPED.items() for each in texts]
)
def test_it_is_found_by_what_stands_around_it(preset: str, around: str, secret: str) -> None:
    assert scrubber(preset).text(around.format(secret)) == around.format(f"<{preset}>")
    for outer in ("x {} y", "({})"):
        assert secret not in scrubber("all").text(outer.format(around.format(secret)))


@pytest.mark.parametrize(("preset", "text"), [(name, text) for name, texts in LEFT.items() for text in texts])
def test_what_looks_alike_is_left(preset: str, text: str) -> None:
    for around in ("{}", "x {} y", "[{}]", "'{}'"):
        assert scrubber(preset).text(around.format(text)) == around.format(text)


def test_a_key_without_its_end_is_found_to_the_end_of_the_text() -> None:
    cut = f"-----BEGIN RSA PRIVATE KEY-----\n{PEM}"
    assert scrubber("private_key").text(f"read {cut}") == "read <private_key>"
    whole = VECTORS["private_key"][0]
    assert scrubber("private_key").text(f"a {whole} b {whole} c") == "a <private_key> b <private_key> c"


def test_values_of_fields_whose_names_say_so() -> None:
    document: dict[str, Any] = {
        "password": "x",
        "db": {"passwd": 1234, "user": "ann", "pool": {"API_KEY": "k"}},
        "users": [{"client_secret": "s", "secretary": "Bob"}],
        "smtp.password": "y",
        "token": "t",
        "password_set": True,
        "pwd": None,
        "secret": {"kept": "in"},
    }
    scrubber("password").document(document)
    assert document == {
        "password": "<password>",
        "db": {"passwd": "<password>", "user": "ann", "pool": {"API_KEY": "<password>"}},
        "users": [{"client_secret": "<password>", "secretary": "Bob"}],
        "smtp.password": "<password>",
        "token": "t",
        "password_set": True,
        "pwd": None,
        "secret": {"kept": "in"},
    }
    assert json.dumps(document)
