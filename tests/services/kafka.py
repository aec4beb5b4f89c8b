"""A Kafka of one node (KRaft), made of its libraries: kafka_server/pom.xml says which."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

from tests.services.programs import find, installed, run

RELEASE = "4.1.0"
LOG4J = """
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
"""What goes to stdout by the release's own config/log4j2.yaml, which is in none of its libraries."""
SETTINGS = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={folder}/data
offsets.topic.replication.factor=1
"""
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
_POM = Path(__file__).resolve().parent / "kafka_server" / "pom.xml"


def kafka_command(folder: Path, port: int, controller_port: int) -> list[str | Path]:
    """What runs it, with its data in a folder, which is made ready for it."""
    settings = folder / "server.properties"
    settings.write_text(SETTINGS.format(port=port, controller_port=controller_port, folder=folder))
    (folder / "log4j2.properties").write_text(LOG4J)
    machine = ["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # quick to start, small
    places = [f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}", "-cp", f"{installed_kafka() / 'libs'}/*"]
    java: list[str | Path] = [find("java"), *machine, *places]
    run([*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER, "-c", settings], folder)
    return [*java, "kafka.Kafka", settings]


def installed_kafka() -> Path:
    """Its libraries, in `libs`."""
    version = zlib.crc32(_POM.read_bytes())  # a changed list is built anew

    def build(folder: Path) -> None:
        shutil.copy(_POM, folder)
        run([find("mvn"), "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=libs"], folder)

    return installed(f"kafka-{RELEASE}-{version:08x}", build)
