r"""The names that every grok knows: what they match is what Logstash's pattern set of the same names matches.

Written anew from that meaning (https://github.com/logstash-plugins/logstash-patterns-core, files `grok-patterns`,
`httpd`, `linux-syslog`, `haproxy` and `java`), so that none costs more than it must: what stands in quotation marks
ends at them, and a name never swallows what follows it. Patterns that name fields are in two sets, the one of the
Elastic Common Schema and the one from before (`_grok_fields.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_HEX: Final = "[0-9A-Fa-f]"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})"
_DOTTED: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP: Final = f"{_HEX}{{1,4}}"
_LABEL: Final = "[0-9A-Za-z][0-9A-Za-z-]{0,62}"
_ATOM: Final = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"


def _ipv6() -> str:
    """RFC 4291, section 2.2: by how many groups stand before the `::`, or before the end."""
    forms = [f"(?:{_GROUP}:){{7}}(?:{_GROUP}|:)", f"(?:{_GROUP}:){{6}}(?:{_DOTTED}|:{_GROUP}|:)"]
    for before in range(5, 0, -1):
        most = 7 - before
        behind = f"(?::{_GROUP}){{0,{most - 2}}}:{_DOTTED}|(?::{_GROUP}){{1,{most}}}|:"
        forms.append(f"(?:{_GROUP}:){{{before}}}(?:{behind})")
    forms.append(f":(?:(?::{_GROUP}){{0,5}}:{_DOTTED}|(?::{_GROUP}){{1,7}}|:)")
    return f"(?:{'|'.join(forms)})(?:%[0-9A-Za-z._~-]+)?"


def _quoted(mark: str) -> str:
    return rf"{mark}(?:[^{mark}\\]++|\\.)*+{mark}"


BASE: Final[Mapping[str, str]] = {
    # words and numbers
    "USERNAME": "[a-zA-Z0-9._-]+",
    "USER": "%{USERNAME}",
    "EMAILLOCALPART": rf"{_ATOM}(?:\.{_ATOM})*",
    "EMAILADDRESS": "%{EMAILLOCALPART}@%{HOSTNAME}",
    "INT": "[+-]?[0-9]+",
    "BASE10NUM": r"(?<![0-9.+-])(?>[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))",
    "NUMBER": "%{BASE10NUM}",
    "BASE16NUM": f"(?<!{_HEX})[+-]?(?:0x)?{_HEX}+",
    "BASE16FLOAT": rf"\b(?<![0-9A-Fa-f.])[+-]?(?:0x)?(?:{_HEX}+(?:\.{_HEX}*)?|\.{_HEX}+)\b",
    "POSINT": r"\b[1-9][0-9]*\b",
    "NONNEGINT": r"\b[0-9]+\b",
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": ".*?",
    "GREEDYDATA": ".*",
    "QUOTEDSTRING": rf"(?<!\\)(?:{_quoted(chr(34))}|{_quoted(chr(39))}|{_quoted(chr(96))})",
    "QS": "%{QUOTEDSTRING}",
    "UUID": f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}",
    "URN": rf"urn:[0-9A-Za-z][0-9A-Za-z-]{{0,31}}:(?:%{_HEX}{{2}}|[0-9A-Za-z()+,.:=@;$_!*'/?#-])+",
    # addresses
    "MAC": "%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC}",
    "CISCOMAC": rf"(?:{_HEX}{{4}}\.){{2}}{_HEX}{{4}}",
    "WINDOWSMAC": f"(?:{_HEX}{{2}}-){{5}}{_HEX}{{2}}",
    "COMMONMAC": f"(?:{_HEX}{{2}}:){{5}}{_HEX}{{2}}",
    "IPV6": _ipv6(),
    "IPV4": f"(?<![0-9]){_DOTTED}(?![0-9])",
    "IP": "%{IPV6}|%{IPV4}",
    "HOSTNAME": rf"\b{_LABEL}(?:\.{_LABEL})*(?:\.|\b)",
    "IPORHOST": "%{IP}|%{HOSTNAME}",
    "HOSTPORT": "%{IPORHOST}:%{POSINT}",
    # paths
    "PATH": "%{UNIXPATH}|%{WINPATH}",
    "UNIXPATH": r"(?:/[\w%!$@:.,+~-]*)+",
    "TTY": r"/dev/(?:pts|tty[a-zA-Z]*)/?[0-9]+",
    "WINPATH": r"(?>[A-Za-z]+:|\\)(?:\\[^\\?*]*)+",
    "URIPROTO": "[A-Za-z][A-Za-z0-9+.-]+",
    "URIHOST": "%{IPORHOST}(?::%{POSINT})?",
    "URIPATH": r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+",
    "URIQUERY": r"[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\-\[\]<>]*",
    "URIPARAM": r"\?%{URIQUERY}",
    "URIPATHPARAM": "%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:%{USER}(?::[^@\s]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    # dates
    "MONTH": r"\b(?:[Jj]an(?:uary?)?|[Ff]eb(?:ruary?)?|[Mm](?:ar(?:ch)?|ärz?|rz?)|[Aa]pr(?:il)?|[Mm]a[yi]"
    r"|[Jj]un[ei]?|[Jj]ul[yi]?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo][ck]t(?:ober)?|[Nn]ov(?:ember)?"
    r"|[Dd]e[cz](?:ember)?)\b",
    "MONTHNUM": "(?:1[0-2]|0?[1-9])",
    "MONTHNUM2": "(?:0[1-9]|1[0-2])",
    "MONTHDAY": "(?:0[1-9]|[12][0-9]|3[01]|[1-9])",
    "DAY": "(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)",
    "YEAR": r"(?>\d\d){1,2}",
    "HOUR": "(?:2[0-3]|[01]?[0-9])",
    "MINUTE": "[0-5][0-9]",
    "SECOND": "(?:60|[0-5]?[0-9])(?:[:.,][0-9]+)?",
    "TIME": "(?<![0-9])%{HOUR}:%{MINUTE}:%{SECOND}(?![0-9])",
    "DATE_US": "%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}",
    "DATE_EU": "%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}",
    "DATE": "%{DATE_US}|%{DATE_EU}",
    "ISO8601_TIMEZONE": "(?:Z|[+-]%{HOUR}:?%{MINUTE})",
    "ISO8601_SECOND": "%{SECOND}",
    "TIMESTAMP_ISO8601": "%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?",
    "TIMESTAMP_CN": r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:%{MINUTE}:%{SECOND}\.\d{3}",
    "DATESTAMP": "%{DATE}[- ]%{TIME}",
    "TZ": "(?:[APMCE][SD]T|UTC)",
    "DATESTAMP_RFC822": "%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}",
    "DATESTAMP_RFC2822": "%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}",
    "DATESTAMP_OTHER": "%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}",
    "DATESTAMP_EVENTLOG": "%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}",
    "SYSLOGTIMESTAMP": "%{MONTH} +%{MONTHDAY} %{TIME}",
    "HTTPDATE": "%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}",
    "HTTPDERROR_DATE": "%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR}",
    "CATALINA7_DATESTAMP": "%{MONTH} %{MONTHDAY}, %{YEAR} %{HOUR}:%{MINUTE}:%{SECOND} (?:AM|PM)",
    "CATALINA8_DATESTAMP": "%{MONTHDAY}-%{MONTH}-%{YEAR} %{HOUR}:%{MINUTE}:%{SECOND}",
    "CATALINA_DATESTAMP": "%{CATALINA8_DATESTAMP}|%{CATALINA7_DATESTAMP}",
    "TOMCAT50_DATESTAMP": "%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:%{MINUTE}:%{SECOND}(?: %{ISO8601_TIMEZONE})?",
    "TOMCAT_DATESTAMP": "%{CATALINA8_DATESTAMP}|%{CATALINA7_DATESTAMP}|%{TOMCAT50_DATESTAMP}",
    # levels, programs, classes
    "LOGLEVEL": "(?i:alert|trace|debug|notice|info?(?:rmation)?|warn?(?:ing)?|err?(?:or)?|crit?(?:ical)?|fatal|severe"
    "|emerg(?:ency)?)",
    "PROG": r"[\x21-\x5a\x5c\x5e-\x7e]+",
    "SYSLOGHOST": "%{IPORHOST}",
    "SYSLOG5424PRINTASCII": "[!-~]+",
    "SYSLOG5424SD": r"(?:\[(?:[^\]\\\"]++|\\.|\"(?:[^\"\\]++|\\.)*+\")*+\])+",
    "CRON_ACTION": "[A-Z ]+",
    "HTTPDUSER": "%{EMAILADDRESS}|%{USER}",
    "HTTPDQUOTED": r"(?:[^\"\\]++|\\.)*+",
    "JAVACLASS": r"(?:[a-zA-Z$_][a-zA-Z$_0-9]*\.)*[a-zA-Z$_][a-zA-Z$_0-9]*",
    "JAVAFILE": "[a-zA-Z$_0-9. -]+",
    "JAVAMETHOD": "(?:<(?:cl)?init>|[a-zA-Z$_][a-zA-Z$_0-9]*)",
    "JAVATHREAD": r"[A-Z]{2}-Processor\d+",
    "JAVALOGMESSAGE": ".*",
}
"""Patterns without fields."""
