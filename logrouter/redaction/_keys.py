"""Keys: private ones, and those by which vendors' services know who calls.

Vendors give their keys a beginning of its own, so that they can be found where they should not be. The lengths are
those of each vendor's documentation, or the shortest seen where it promises none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from logrouter.possessive import portable
from logrouter.redaction._detector import FOLD, Detector, Span, matches

_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d: ")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: [0-9a-f]+")


def _private_keys(text: str) -> Iterator[Span]:
    """From the line that begins one (RFC 7468, RFC 4880, PuTTY) to the one that ends it; without that, all the rest."""
    begin = _BEGIN.search(text)
    while begin is not None:
        end = _END.search(text, begin.end())
        stop = len(text) if end is None else end.end()
        yield begin.start(), stop
        begin = _BEGIN.search(text, stop)


_AWS_KEY = re.compile(
    r"""(?:AKIA|ASIA)[A-Z0-9]{16}
      | (?i:secret[_-]?(?:access[_-]?)?key) ["']?\s?[:=]\s?["']? (?P<secret> [A-Za-z0-9/+=]{40} ) (?![A-Za-z0-9/+=])""",
    re.VERBOSE,
)

_VENDORS: Final = {
    "ghp_": "[A-Za-z0-9]{36,}",  # GitHub: personal, OAuth, user-to-server, server-to-server, refresh
    "gho_": "[A-Za-z0-9]{36,}",
    "ghu_": "[A-Za-z0-9]{36,}",
    "ghs_": "[A-Za-z0-9]{36,}",
    "ghr_": "[A-Za-z0-9]{36,}",
    "github_pat_": "[A-Za-z0-9_]{22,}",
    "glpat-": "[A-Za-z0-9_.-]{20,}",  # GitLab: personal, deploy, runner, CI job, trigger, feed
    "gldt-": "[A-Za-z0-9_.-]{20,}",
    "glrt-": "[A-Za-z0-9_.-]{20,}",
    "glcbt-": "[A-Za-z0-9_.-]{20,}",
    "glptt-": "[A-Za-z0-9_.-]{20,}",
    "glft-": "[A-Za-z0-9_.-]{20,}",
    "xoxb-": "[A-Za-z0-9-]{10,}",  # Slack: bot, user, app, refresh, legacy; webhooks
    "xoxp-": "[A-Za-z0-9-]{10,}",
    "xoxa-": "[A-Za-z0-9-]{10,}",
    "xoxr-": "[A-Za-z0-9-]{10,}",
    "xoxs-": "[A-Za-z0-9-]{10,}",
    "xoxe-": "[A-Za-z0-9.-]{10,}",
    "xoxe.": "[A-Za-z0-9.-]{10,}",
    "xapp-": "[A-Za-z0-9-]{10,}",
    "hooks.slack.com/": "(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}",
    "sk_live_": "[A-Za-z0-9]{16,}",  # Stripe: secret, restricted, webhook
    "sk_test_": "[A-Za-z0-9]{16,}",
    "rk_live_": "[A-Za-z0-9]{16,}",
    "rk_test_": "[A-Za-z0-9]{16,}",
    "whsec_": "[A-Za-z0-9+/=]{24,}",
    "AIza": "[A-Za-z0-9_-]{35}",  # Google: API, OAuth client secret, access token
    "GOCSPX-": "[A-Za-z0-9_-]{20,}",
    "ya29.": "[A-Za-z0-9_-]{20,}",
    "SG.": r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",  # SendGrid
    "npm_": "[A-Za-z0-9]{36}",
    "pypi-AgE": "[A-Za-z0-9_-]{50,}",
    "dckr_pat_": "[A-Za-z0-9_-]{20,}",  # Docker
    "sk-ant-": "[A-Za-z0-9_-]{20,}",  # Anthropic
    "sk-proj-": "[A-Za-z0-9_-]{20,}",  # OpenAI
    "sk-svcacct-": "[A-Za-z0-9_-]{20,}",
    "sk-": "[A-Za-z0-9]{40,}",
    "hf_": "[A-Za-z0-9]{30,}",  # Hugging Face
    "AccountKey=": "[A-Za-z0-9+/]{40,}={0,2}",  # Azure: storage, service bus, shared access signatures
    "SharedAccessKey=": "[A-Za-z0-9+/]{40,}={0,2}",
    "sig=": "[A-Za-z0-9%/+]{40,}",
    "hvs.": "[A-Za-z0-9_-]{20,}",  # HashiCorp Vault: service, batch, recovery
    "hvb.": "[A-Za-z0-9_-]{20,}",
    "hvr.": "[A-Za-z0-9_-]{20,}",
    "dop_v1_": "[a-f0-9]{64}",  # DigitalOcean
    "doo_v1_": "[a-f0-9]{64}",
    "dapi": "[a-f0-9]{32}",  # Databricks
    "shpat_": "[a-fA-F0-9]{32}",  # Shopify
    "shpss_": "[a-fA-F0-9]{32}",
    "ATATT3": "[A-Za-z0-9_=-]{50,}",  # Atlassian
    "HRKU-": "[A-Za-z0-9_-]{30,}",  # Heroku
    "lin_api_": "[A-Za-z0-9]{32,}",  # Linear
    "glsa_": "[A-Za-z0-9_]{32,}",  # Grafana: service account, cloud
    "glc_": "[A-Za-z0-9+/=]{32,}",
    "AGE-SECRET-KEY-1": "[A-Z0-9]{58}",  # age
    "key-": "[a-f0-9]{32}(?![a-f0-9-])",  # Mailgun
    "SK": "[a-f0-9]{32}(?![A-Za-z0-9])",  # Twilio
}
"""How a vendor's keys begin, and what follows."""
_TELEGRAM: Final = "[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"
_SHAPES: Final = [re.escape(begin) + rest for begin, rest in _VENDORS.items()]
_API_KEY = re.compile(portable(f"(?<![A-Za-z0-9])(?:{'|'.join([*_SHAPES, _TELEGRAM])})"))

_FOLLOWS: Final = 10
"""So many characters at least follow the last of a beginning that is rare in logs."""


def _anchored(anchor: bytes, begins: Iterable[bytes]) -> re.Pattern[bytes]:
    """Finds those of some beginnings that hold a character. What follows it elsewhere is mostly shorter, and the word
    that stands before it as long as few of them are: what it is comes last."""
    last, lengths = set(), defaultdict(list)
    for begin in begins:
        before, found, after = begin.rpartition(anchor)
        if found:
            last.add(before[-1:])
            lengths[len(before), len(after)].append(before + found + after)
    around = [
        b"(?<=[^A-Za-z0-9](?:%b).{%d})" % (b"|".join(some), _FOLLOWS - after) for (_, after), some in lengths.items()
    ]
    return re.compile(
        b"%b[A-Za-z0-9%%+/=._-]{%d}(?<=[%b].{%d})(?:%b)"
        % (anchor, _FOLLOWS, b"".join(sorted(last)), _FOLLOWS + 1, b"|".join(around))
    )


_FOLDED: Final = sorted({begin.encode().translate(FOLD) for begin in _VENDORS})
_LIKE_OTHERS: Final = (_anchored(b"z", [b"AIza"]), _anchored(b"K", [b"SK"]), _anchored(b"A", [b"ATATT3"]))
_LIKE_AWS: Final = re.compile(rb"I(?=A[A-Z0-9]{16})(?<=A[KS]I)")
_LIKE_TELEGRAM: Final = re.compile(rb"A(?=A[A-Za-z0-9_-]{33})(?<=:A)")

PRESETS: Final = (
    Detector("private_key", _private_keys, hints=(b"private key", b"putty-user-key")),
    Detector("aws_key", matches(_AWS_KEY), hints=(b"ecret",), candidates=(_LIKE_AWS,)),
    Detector(
        "api_key",
        matches(_API_KEY),
        _API_KEY,
        of_lines=True,
        hints=(b"dapi",),
        candidates=(*_LIKE_OTHERS, _LIKE_TELEGRAM),
        folded=(_anchored(b"_", _FOLDED),),
    ),
)
