"""The grok patterns of whole lines: with the fields of the Elastic Common Schema, and with those from before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logrouter.parsers._grok_patterns import BASE

_SYSLOG_TIME: Final = "(?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp})"
_ORIGIN: Final = "[log][origin]"
_CONNECTIONS: Final = (
    "%{INT:[haproxy][connections][active]:int}/%{INT:[haproxy][connections][frontend]:int}"
    "/%{INT:[haproxy][connections][backend]:int}/%{INT:[haproxy][connections][server]:int}"
    r"/\+?%{INT:[haproxy][connections][retries]:int}"
    " %{INT:[haproxy][server_queue]:int}/%{INT:[haproxy][backend_queue]:int}"
)
_PROXIED: Final = (
    r"%{IP:[source][address]}:%{INT:[source][port]:int} \[%{HAPROXYDATE:[haproxy][request_date]}\]"
    " %{NOTSPACE:[haproxy][frontend_name]} %{HAPROXYNAME:[haproxy][backend_name]}"
    "/(?:<NOSRV>|%{NOTSPACE:[haproxy][server_name]})"
)
_WAITS: Final = (
    "(?:-1|%{INT:[haproxy][total_waiting_time_ms]:int})/(?:-1|%{INT:[haproxy][connection_wait_time_ms]:int})"
)

_ECS: Final[Mapping[str, str]] = {
    # syslog
    "SYSLOGPROG": r"%{PROG:[process][name]}(?:\[%{POSINT:[process][pid]:int}\])?",
    "SYSLOGFACILITY": r"<%{NONNEGINT:[log][syslog][facility][code]:int}\.%{NONNEGINT:[log][syslog][priority]:int}>",
    "SYSLOGBASE": "%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:[host][hostname]} %{SYSLOGPROG}:",
    "SYSLOGBASE2": _SYSLOG_TIME + "(?: %{SYSLOGFACILITY})?(?: %{SYSLOGHOST:[host][hostname]})?(?: %{SYSLOGPROG}:)?",
    "SYSLOGLINE": "%{SYSLOGBASE2} %{GREEDYDATA:message}",
    "SYSLOGPAMSESSION": r"%{SYSLOGBASE} (?=%{GREEDYDATA:message})%{WORD:[system][auth][pam][module]}"
    r"\(%{DATA:[system][auth][pam][origin]}\): session %{WORD:[system][auth][pam][session_state]}"
    r" for user %{USERNAME:[user][name]}(?: by %{GREEDYDATA})?",
    "CRONLOG": r"%{SYSLOGBASE} \(%{USER:[user][name]}\) %{CRON_ACTION:[system][cron][action]} \(%{DATA:message}\)",
    "SYSLOG5424PRI": "<%{NONNEGINT:[log][syslog][facility][code]:int}>",
    "SYSLOG5424BASE": "%{SYSLOG5424PRI}%{NONNEGINT:[system][syslog][version]} +(?:-|%{TIMESTAMP_ISO8601:timestamp})"
    " +(?:-|%{IPORHOST:[host][hostname]}) +(?:-|%{SYSLOG5424PRINTASCII:[process][name]})"
    " +(?:-|%{SYSLOG5424PRINTASCII:[process][pid]:int}) +(?:-|%{SYSLOG5424PRINTASCII:[event][code]})"
    " +(?:-|%{SYSLOG5424SD:[system][syslog][structured_data]})?",
    "SYSLOG5424LINE": "%{SYSLOG5424BASE} +%{GREEDYDATA:message}",
    # Apache and nginx
    "HTTPD_COMMONLOG": "%{IPORHOST:[source][address]} (?:-|%{HTTPDUSER:[apache][access][user][identity]})"
    r" (?:-|%{HTTPDUSER:[user][name]}) \[%{HTTPDATE:timestamp}\] "
    '"(?:%{WORD:[http][request][method]} %{NOTSPACE:[url][original]}(?: HTTP/%{NUMBER:[http][version]})?'
    '|%{HTTPDQUOTED})"'
    " (?:-|%{INT:[http][response][status_code]:int}) (?:-|%{INT:[http][response][body][bytes]:int})",
    "HTTPD_COMBINEDLOG": '%{HTTPD_COMMONLOG} "(?:-|%{HTTPDQUOTED:[http][request][referrer]})"'
    ' "(?:-|%{HTTPDQUOTED:[user_agent][original]})"',
    "HTTPD20_ERRORLOG": r"\[%{HTTPDERROR_DATE:timestamp}\] \[%{LOGLEVEL:[log][level]}\]"
    r" (?:\[client %{IPORHOST:[source][address]}\] )?%{GREEDYDATA:message}",
    "HTTPD24_ERRORLOG": r"\[%{HTTPDERROR_DATE:timestamp}\]"
    r" \[(?:%{WORD:[apache][error][module]})?:%{LOGLEVEL:[log][level]}\]"
    r" \[pid %{POSINT:[process][pid]:int}(?::tid %{INT:[process][thread][id]:int})?\]"
    r"(?: \(%{POSINT:[apache][error][proxy][error][code]}\)%{DATA:[apache][error][proxy][error][message]}:)?"
    r"(?: \[client %{IPORHOST:[source][address]}(?::%{POSINT:[source][port]:int})?\])?"
    "(?: %{DATA:[error][code]}:)? %{GREEDYDATA:message}",
    # HAProxy
    "HAPROXYCAPTUREDREQUESTHEADERS": "%{HAPROXYCAPTURED:[haproxy][http][request][captured_headers]}",
    "HAPROXYCAPTUREDRESPONSEHEADERS": "%{HAPROXYCAPTURED:[haproxy][http][response][captured_headers]}",
    "HAPROXYURI": r"(?:%{URIPROTO:[url][scheme]}://)?(?:%{USER:[url][username]}(?::[^@\s]*)?@)?"
    "(?:%{IPORHOST:[url][domain]}(?::%{POSINT:[url][port]:int})?)?"
    r"(?:%{URIPATH:[url][path]}(?:\?%{URIQUERY:[url][query]})?)?",
    "HAPROXYHTTPREQUESTLINE": "(?:<BADREQ>|%{WORD:[http][request][method]} %{HAPROXYURI:[url][original]}"
    "(?: HTTP/%{NUMBER:[http][version]})?)",
    "HAPROXYHTTPBASE": _PROXIED + " (?:-1|%{INT:[haproxy][http][request][time_wait_ms]:int})/" + _WAITS
    + "/(?:-1|%{INT:[haproxy][http][request][time_wait_without_data_ms]:int})/%{NOTSPACE:[haproxy][total_time_ms]}"
    " %{INT:[http][response][status_code]:int} %{NOTSPACE:[source][bytes]:int}"
    " (?:-|%{NOTSPACE:[haproxy][http][request][captured_cookie]})"
    " (?:-|%{NOTSPACE:[haproxy][http][response][captured_cookie]}) %{NOTSPACE:[haproxy][termination_state]} "
    + _CONNECTIONS
    + r"(?: \{%{HAPROXYCAPTUREDREQUESTHEADERS}\}(?: \{%{HAPROXYCAPTUREDRESPONSEHEADERS}\})?)?"
    '(?: "%{HAPROXYHTTPREQUESTLINE}"?)?',
    "HAPROXYHTTP": _SYSLOG_TIME + " %{IPORHOST:[host][hostname]} %{SYSLOGPROG}: %{HAPROXYHTTPBASE}",
    "HAPROXYTCP": _SYSLOG_TIME + " %{IPORHOST:[host][hostname]} %{SYSLOGPROG}: " + _PROXIED + " " + _WAITS
    + "/%{NOTSPACE:[haproxy][total_time_ms]} %{NOTSPACE:[source][bytes]:int} %{NOTSPACE:[haproxy][termination_state]} "
    + _CONNECTIONS,
    # Java
    "JAVASTACKTRACEPART": rf"%{{SPACE}}at %{{JAVACLASS:[java]{_ORIGIN}[class][name]}}"
    rf"\.%{{JAVAMETHOD:{_ORIGIN}[function]}}"
    rf"\(%{{JAVAFILE:{_ORIGIN}[file][name]}}(?::%{{INT:{_ORIGIN}[file][line]:int}})?\)",
    "CATALINA7_LOG": f"%{{CATALINA7_DATESTAMP:timestamp}} %{{JAVACLASS:[java]{_ORIGIN}[class][name]}}"
    rf"(?: %{{JAVAMETHOD:{_ORIGIN}[function]}})?\s*(?:%{{LOGLEVEL:[log][level]}}:)? %{{JAVALOGMESSAGE:message}}",
    "CATALINA8_LOG": r"%{CATALINA8_DATESTAMP:timestamp} %{LOGLEVEL:[log][level]}"
    rf" \[%{{DATA:[java]{_ORIGIN}[thread][name]}}\] %{{JAVACLASS:[java]{_ORIGIN}[class][name]}}"
    rf"\.(?:%{{JAVAMETHOD:{_ORIGIN}[function]}})? %{{JAVALOGMESSAGE:message}}",
    "CATALINALOG": "%{CATALINA8_LOG}|%{CATALINA7_LOG}",
    "TOMCAT50_LOG": r"%{TOMCAT50_DATESTAMP:timestamp}(?: %{LOGLEVEL:[log][level]})?"
    r" [^\[]*\[(?<[tomcat][context][name]>[^\]]*)\]"
    rf"(?:%{{JAVACLASS:[java]{_ORIGIN}[class][name]}}: %{{JAVAMETHOD:{_ORIGIN}[function]}}\([^)]*\))?"
    "(?:: %{JAVALOGMESSAGE:message})?",
    "TOMCAT6_LOG": "%{CATALINA7_LOG}",
    "TOMCAT8_LOG": "%{CATALINA8_LOG}",
    "TOMCATLEGACY_LOG": r"%{TOMCAT50_DATESTAMP:timestamp} \| %{LOGLEVEL:[log][level]} \|"
    rf" %{{JAVACLASS:[java]{_ORIGIN}[class][name]}} - %{{JAVALOGMESSAGE:message}}",
    "TOMCATLOG": "%{TOMCAT8_LOG}|%{TOMCAT6_LOG}|%{TOMCATLEGACY_LOG}|%{TOMCAT50_LOG}",
}  # fmt: skip

_OLD_TIME: Final = "(?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp8601})"
_OLD_HAPROXY: Final = (
    "(?:%{SYSLOGTIMESTAMP:syslog_timestamp}|%{TIMESTAMP_ISO8601:timestamp8601})"
    " %{IPORHOST:syslog_server} %{SYSLOGPROG}: "
)
_OLD_PROXIED: Final = (
    r"%{IP:client_ip}:%{INT:client_port} \[%{HAPROXYDATE:accept_date}\] %{NOTSPACE:frontend_name}"
    " %{HAPROXYNAME:backend_name}/%{NOTSPACE:server_name}"
)
_OLD_CONNECTIONS: Final = (
    "%{INT:actconn}/%{INT:feconn}/%{INT:beconn}/%{INT:srvconn}/%{NOTSPACE:retries}"
    " %{INT:srv_queue}/%{INT:backend_queue}"
)

_LEGACY: Final[Mapping[str, str]] = {
    # syslog
    "SYSLOGPROG": r"%{PROG:program}(?:\[%{POSINT:pid}\])?",
    "SYSLOGFACILITY": r"<%{NONNEGINT:facility}\.%{NONNEGINT:priority}>",
    "SYSLOGBASE": "%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:",
    "SYSLOGBASE2": _OLD_TIME + " (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource}(?: %{SYSLOGPROG}:)?",
    "SYSLOGLINE": "%{SYSLOGBASE2} %{GREEDYDATA:message}",
    "SYSLOGPAMSESSION": r"%{SYSLOGBASE} (?=%{GREEDYDATA:message})%{WORD:pam_module}\(%{DATA:pam_caller}\):"
    " session %{WORD:pam_session_state} for user %{USERNAME:username}(?: by %{GREEDYDATA:pam_by})?",
    "CRONLOG": r"%{SYSLOGBASE} \(%{USER:user}\) %{CRON_ACTION:action} \(%{DATA:message}\)",
    "SYSLOG5424PRI": "<%{NONNEGINT:syslog5424_pri}>",
    "SYSLOG5424BASE": "%{SYSLOG5424PRI}%{NONNEGINT:syslog5424_ver} +(?:-|%{TIMESTAMP_ISO8601:syslog5424_ts})"
    " +(?:-|%{IPORHOST:syslog5424_host}) +(?:-|%{SYSLOG5424PRINTASCII:syslog5424_app})"
    " +(?:-|%{SYSLOG5424PRINTASCII:syslog5424_proc}) +(?:-|%{SYSLOG5424PRINTASCII:syslog5424_msgid})"
    " +(?:-|%{SYSLOG5424SD:syslog5424_sd})?",
    "SYSLOG5424LINE": "%{SYSLOG5424BASE} +%{GREEDYDATA:syslog5424_msg}",
    # Apache and nginx
    "HTTPD_COMMONLOG": r"%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] "
    '"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{HTTPDQUOTED:rawrequest})"'
    " (?:-|%{NUMBER:response}) (?:-|%{NUMBER:bytes})",
    "HTTPD_COMBINEDLOG": "%{HTTPD_COMMONLOG} %{QS:referrer} %{QS:agent}",
    "HTTPD20_ERRORLOG": r"\[%{HTTPDERROR_DATE:timestamp}\] \[%{LOGLEVEL:loglevel}\]"
    r" (?:\[client %{IPORHOST:clientip}\] )?%{GREEDYDATA:message}",
    "HTTPD24_ERRORLOG": r"\[%{HTTPDERROR_DATE:timestamp}\] \[(?:%{WORD:module})?:%{LOGLEVEL:loglevel}\]"
    r" \[pid %{POSINT:pid}(?::tid %{NUMBER:tid})?\](?: \(%{POSINT:proxy_errorcode}\)%{DATA:proxy_message}:)?"
    r"(?: \[client %{IPORHOST:clientip}(?::%{POSINT:clientport})?\])?(?: %{DATA:errorcode}:)? %{GREEDYDATA:message}",
    # HAProxy
    "HAPROXYCAPTUREDREQUESTHEADERS": "%{HAPROXYCAPTURED:captured_request_headers}",
    "HAPROXYCAPTUREDRESPONSEHEADERS": "%{HAPROXYCAPTURED:captured_response_headers}",
    "HAPROXYHTTPBASE": _OLD_PROXIED + " %{INT:time_request}/%{INT:time_queue}/%{INT:time_backend_connect}"
    "/%{INT:time_backend_response}/%{NOTSPACE:time_duration} %{INT:http_status_code} %{NOTSPACE:bytes_read}"
    " %{NOTSPACE:captured_request_cookie} %{NOTSPACE:captured_response_cookie} %{NOTSPACE:termination_state} "
    + _OLD_CONNECTIONS
    + r"(?: \{%{HAPROXYCAPTUREDREQUESTHEADERS}\}(?: \{%{HAPROXYCAPTUREDRESPONSEHEADERS}\})?)?"
    r'(?: "(?:<BADREQ>|%{WORD:http_verb} (?:%{URIPROTO:http_proto}://)?(?:%{USER:http_user}(?::[^@\s]*)?@)?'
    '(?:%{URIHOST:http_host})?(?:%{URIPATHPARAM:http_request})?(?: HTTP/%{NUMBER:http_version})?)"?)?',
    "HAPROXYHTTP": _OLD_HAPROXY + "%{HAPROXYHTTPBASE}",
    "HAPROXYTCP": _OLD_HAPROXY + _OLD_PROXIED + " %{INT:time_queue}/%{INT:time_backend_connect}"
    "/%{NOTSPACE:time_duration} %{NOTSPACE:bytes_read} %{NOTSPACE:termination_state} " + _OLD_CONNECTIONS,
    "HAPROXYERROR": _OLD_HAPROXY + r"%{IP:client_ip}:%{INT:client_port} \[%{HAPROXYDATE:accept_date}\]"
    " %{HAPROXYNAME:frontend_name}/%{HAPROXYNAME:bind_name}: %{GREEDYDATA:error_message}",
    # Java
    "JAVASTACKTRACEPART": r"%{SPACE}at %{JAVACLASS:class}\.%{JAVAMETHOD:method}"
    r"\(%{JAVAFILE:file}(?::%{NUMBER:line})?\)",
    "CATALINALOG": "%{CATALINA_DATESTAMP:timestamp} %{JAVACLASS:class} %{JAVALOGMESSAGE:logmessage}",
    "TOMCATLOG": r"%{TOMCAT50_DATESTAMP:timestamp} \| %{LOGLEVEL:level} \| %{JAVACLASS:class}"
    " - %{JAVALOGMESSAGE:logmessage}",
}  # fmt: skip

_BOTH: Final[Mapping[str, str]] = {
    "HTTPD_ERRORLOG": "%{HTTPD20_ERRORLOG}|%{HTTPD24_ERRORLOG}",
    "COMMONAPACHELOG": "%{HTTPD_COMMONLOG}",
    "COMBINEDAPACHELOG": "%{HTTPD_COMBINEDLOG}",
    "HAPROXYTIME": "%{TIME}",
    "HAPROXYDATE": r"%{MONTHDAY}/%{MONTH}/%{YEAR}:(?<![0-9])%{HOUR}:%{MINUTE}:[0-5][0-9]\.%{INT}",
    "HAPROXYNAME": r"[^\s/]+",
    "HAPROXYCAPTURED": r"[^}]*",
}

SETS: Final[Mapping[str, Mapping[str, str]]] = {
    "ecs": {**BASE, **_BOTH, **_ECS},
    "legacy": {**BASE, **_BOTH, **_LEGACY},
}
"""By the name of the option: what each pattern stands for."""
