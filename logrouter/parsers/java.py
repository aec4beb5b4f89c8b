r"""What Java's logging writes: log4j, logback, Spring Boot, java.util.logging, and the servers that have their own way.

    - parse: java
    < 2026-11-29 23:44:26,123 [main] WARN  app.Disk - nearly full
    > {"time":"2026-11-29T23:44:26.123Z","level":"WARN","message":"nearly full","thread":"main","logger":"app.Disk"}
    < [2026-11-29T23:44:26,123][INFO ][o.o.n.Node] [es-1] started
    > {"time":"2026-11-29T23:44:26.123Z","level":"INFO","message":"started","logger":"o.o.n.Node","node.name":"es-1"}

It knows, whichever it is, line by line:

    log4j, logback      TIME [main] INFO  a.B - x            also behind the level; of logback's default only hours
                        TIME INFO  a.B:12 - x
                        12 [main] INFO a.B - x               log4j's TTCCLayout; SLF4J's simple logger without number
                        TIME main INFO x                     what log4j says of itself
    Spring Boot         TIME  INFO 12 --- [app] [main] a.B   : x
    Cassandra           INFO  [main] TIME B.java:12 - x
    Dropwizard          INFO  [TIME] a.B: x
    Elasticsearch       [TIME][INFO ][a.B] [node] x          OpenSearch, Logstash
    Hadoop, Spark       TIME INFO a.B: x
    JBoss, WildFly      TIME INFO  [a.B] (main) x            Quarkus, Keycloak
    Jenkins             TIME [id=12]⇥INFO⇥a.B#method: x
    Jetty               TIME:INFO :a.B:main: x
    Kafka               [TIME] INFO x (a.B)                  of several lines the first, without its logger
    Minecraft           [23:44:26] [Server thread/INFO]: x
    Tomcat              29-Nov-2026 23:44:26.123 INFO [main] a.B.method x
    ZooKeeper           TIME [myid:1] - INFO  [main:B@12] - x
    java.util.logging   Nov 29, 2026 11:44:26 PM a.B method
                        INFO: x

The two lines of `java.util.logging` are one event with [`multiline: java`](../multiline.md) or `auto`. Times are local,
of `timezone`, unless they say theirs; one without a date is the last such time before the line was read. The stack
trace that [`multiline`](../multiline.md) has joined to a line becomes `exception.type`, `exception.message` and
`exception.stacktrace`.
"""

from __future__ import annotations

from typing import Final

from logrouter.parsers._dates import MONTHS
from logrouter.parsers._layouts import CLOCK, Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, looks_of, number

_MONTHS: Final = "|".join(MONTHS)
_TRACE: Final = r"[\da-fA-F]{16,32}-[\da-fA-F]{16}|[\w.-]*,[\da-f]*,[\da-f]*(?:,\w*)?"
"""Spring Boot 3 writes trace and span; Spring Cloud Sleuth the app, the trace, the span, whether it is exported."""
_NOT_A_TRACE: Final = rf"(?=\[(?!(?:{_TRACE})\]))"
_LOGGER: Final = r"[\w.$/@\[\]*-]++"
_NOT_NAMED: Final = rf"(?!.* \({_LOGGER}(?::\d*+)?+\)(?!.))"


def _iso_of_tomcat(text: str) -> str:
    return f"{text[7:11]}-{MONTHS[text[3:6]]}-{text[:2]}T{text[12:]}"


def _iso_of_spark(text: str) -> str:
    return f"20{text[:2]}-{text[3:5]}-{text[6:8]}T{text[9:]}"


def _iso_of_jul(text: str) -> str:
    month, day, year, clock, half = text.replace(",", "").split(" ")
    hour, _, rest = clock.partition(":")
    if not 1 <= int(hour) <= 12:
        raise ValueError
    return f"{year}-{MONTHS[month]}-{int(day):02d}T{int(hour) % 12 + 12 * (half == 'PM'):02d}:{rest}"


_KINDS: Final = {
    "level": Kind(
        "ALL|CONFIG|CRITICAL|DEBUG|DEPRECATION|ERROR|FATAL|FINER|FINEST|FINE|INFO|NOTICE|OFF|SEVERE|TRACE|WARNING|WARN"
    ),
    "logger": Kind(_LOGGER),
    "class": Kind(r"[\w$]++(?:[./][\w$]++)*"),
    "qualified": Kind(r"[a-z]\w*+(?:\.[\w$-]++)++"),
    "java_class": Kind(r"(?:[a-z]\w*+\.)++[A-Z][\w$]*+"),
    "parenthesised": Kind(r'(?:[^)"\n\t]++|\)(?! ))*+'),
    "before_slash": Kind(r'[^\]/"\n\t]++'),
    "before_class": Kind(r'[^"\n\t]*?'),
    "before_colon": Kind(r'[^:\s"]++'),
    "in_brackets": Kind(r'[^\]"\n\t]++'),
    "unspaced": Kind(r'[^\]\s"]++'),
    "ndc": Kind(r'[^\]"\n\t]*+', lambda text: None if text == "(null)" else text),
    "method": Kind(r"[\w$<>]++"),
    "file": Kind(r"[\w$-]++\.(?:java|kt|scala|groovy)"),
    "log4j": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"),
    "tomcat": iso_time(rf"\d\d-(?:{_MONTHS})-\d{{4}} {CLOCK}", _iso_of_tomcat),
    "spark": iso_time(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d", _iso_of_spark),
    "jul": iso_time(rf"(?:{_MONTHS}) \d{{1,2}}, \d{{4}} \d{{1,2}}:\d\d:\d\d [AP]M", _iso_of_jul),
    "elapsed": number(),
    "instant": iso_time(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3,9})?Z"),
    "asctime": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"),
    "jvm_thread": Kind(r"main|[A-Za-z][\w.]*+(?:-[\w.]++)*-\d{1,9}"),
    "log4j_level": Kind("DEBUG|ERROR|FATAL|INFO|TRACE|WARN"),
    "not_python": Kind("FATAL|TRACE|WARN"),
    "trace": Kind(_TRACE),
}
_DATED: Final = (
    # spring-boot, org/springframework/boot/logging/logback/defaults.xml; 3.x puts the app's name first
    (
        rf"<time> ++<level> ++<pid> --- (?:\[ *+<application:in_brackets>\] {_NOT_A_TRACE})?+"
        r"\[ *+<thread>\] (?:\[(?:<trace>| *+)\] ?+)?+<logger> *+: <message>"
    ),
    # before Spring Boot 3, by Spring Cloud Sleuth: logging.pattern.level: %5p [${spring.application.name},…]
    r"<time> ++<level> ++\[<trace>\] <pid> --- \[ *+<thread>\] <logger> *+: <message>",
    # https://hadoop.apache.org, hadoop-common/src/main/conf/log4j.properties: %d{ISO8601} %p %c: %m%n
    r"<time> ++<level> ++<logger:java_class>: <message>",
    # https://zookeeper.apache.org, conf/logback.xml: %d{ISO8601} [myid:%X{myid}] - %-5p [%t:%logger{36}@%L] - %m%n
    r"<time> \[myid:<myid:pid>?\] - <level> ++\[<thread:before_class>:<logger:class>@<line>\] - <message>",
    # OpenSearch and Elasticsearch, config/log4j2.properties: [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
    # Logstash: [%d{ISO8601}][%-5p][%-25c]%notEmpty{[%X{pipeline.id}]}%notEmpty{[%X{plugin.id}]} %m%n
    (
        r"\[<time>\]\[<level> *+\]\[<logger:unspaced> *+\]"
        r"(?: \[<node.name:in_brackets>\]|\[<pipeline.id:in_brackets>\])?+(?:\[<plugin.id:in_brackets>\])?+ <message>"
    ),
    # Kafka, config/log4j2.yaml: [%d] %p %m (%c)%n; Connect: [%d] %p %X{connector.context}%m (%c:%L)%n
    r"\[<time>\] <level> <message> \(<logger>(?::<line>?)?+\)",
    # the first line of several: the name stands behind the last. With "in" and "-" it is Python's
    rf"\[<time:log4j>\] <level> (?!in [\w.]++: |- ){_NOT_NAMED}<message>",
    # Cassandra, conf/logback.xml: %-5level [%thread] %date{ISO8601} %F:%L - %msg%n
    r"<level> ++\[<thread>\] <time> <file>:<line> - <message>",
    # Dropwizard, DropwizardLayout: %-5p [%d{ISO8601,UTC}] %c: %m%n
    r"<level> ++\[<time>\] <logger>: <message>",
    # Jenkins, io.jenkins.lib.support_log_formatter.SupportLogFormatter
    r"<time> \[id=<thread>\]\t<level>\t<logger:class>(?:#<method>)?+: <message>",
    # Jetty, org.eclipse.jetty.util.log.StdErrLog
    r"<time>:<level> *+:(?:<logger:before_colon>)?+:<thread:before_colon>: <message>",
    # Tomcat, org.apache.juli.OneLineFormatter
    r"<time:tomcat> <level> ++\[<thread>\] <logger:class>\.<method> <message>",
    # Spark, conf/log4j2.properties.template: %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n
    r"<time:spark> <level> ++<logger:class>: <message>",
    # java.util.logging.SimpleFormatter: %1$tb %1$td, %1$tY %1$tl:%1$tM:%1$tS %1$Tp %2$s%n%4$s: %5$s%6$s%n
    r"<time:jul> <logger:class>(?: <method>)?+\n<level>: <message>",
    # https://logging.apache.org/log4j/1.x/apidocs/org/apache/log4j/TTCCLayout.html; slf4j.org, SimpleLogger
    (
        r"(?:<elapsed> )?+\[(?!\d{4}-\d\d-\d\d[T ]\d)<thread>\] <level> ++<logger> ++"
        r"(?:(?!- )<ndc:before_colon> )?+- <message>"
    ),
    # https://logging.apache.org/log4j/2.x/manual/status-logger.html: since 2.24, and before, as Python writes, too
    "<time:instant> <thread:jvm_thread> <level:log4j_level> <message>",
    "<time:asctime> <thread:jvm_thread> <level:not_python> <message>",
)
_EITHER: Final = (
    # logback, TTLLLayout and BasicConfigurator: %d{HH:mm:ss.SSS} [%thread] %-5level %logger{36} -%kvp- %msg%n
    # log4net, as its documentation begins: %date [%thread] %-5level %logger [%property{NDC}] - %message%newline
    (
        r"<time> ++\[ *+<thread>\] ++<level> ++"
        r"(?:<logger:class>(?: \[<ndc>\])?+(?::<line>)?+ ?+(?:--?|:) )<message>"
    ),
    # log4j: %d %-5p [%t] %c - %m%n
    r"<time> ++<level> ++\[ *+<thread>\] ++<logger:class>(?::<line>)?+ ?+(?:--?|:) <message>",
    # log4j: %d %-5p %c{1}:%L - %m%n; without a line only a name with its package is one
    r"<time> ++<level> ++(?:<logger:class>:<line> |<logger:qualified> )- <message>",
    # https://docs.wildfly.org, logging: %d{HH:mm:ss,SSS} %-5p [%c] (%t) %s%e%n; io.quarkus: quarkus.log.console.format
    r"<time> <level> ++\[<logger:in_brackets>\] \(<thread:parenthesised>\) <message>",
)
_MINECRAFT: Final = r"\[<time:clock>\] \[<thread:before_slash>/<level>\](?: \[<logger:in_brackets>\])?+: <message>"
LAYOUTS: Final = [
    Layout(text, _KINDS)
    for text in (*_DATED, *_EITHER, *(text.replace("<time>", "<time:clock>") for text in _EITHER), _MINECRAFT)
]


class Java(LayoutsParser[LayoutsConfig]):
    """Knows the layouts of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 44)
