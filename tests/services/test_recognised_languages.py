"""What programs of several languages print becomes fields with nothing configured: each is read by `parse: auto`."""

from __future__ import annotations

import json
import shutil
import sys
import zlib
from pathlib import Path

import pytest

from tests.e2e.processes import Workplace
from tests.services.opensearch import installed_opensearch
from tests.services.programs import find, find_go, installed, run
from tests.services.recognising import is_time, output_of, recognised, those_with

PYTHON = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("shop.orders").warning("stock is low: %d", 3)
for style in (
    "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "%(asctime)s %(levelname)s %(name)s: %(message)s",
):
    logging.basicConfig(format=style, force=True, level=logging.DEBUG)
    logging.getLogger("shop.orders").warning("stock is low: %d", 3)
"""


def test_python(workplace: Workplace) -> None:
    printed = output_of([sys.executable, "-c", PYTHON], workplace.folder)
    events = recognised(workplace, printed)
    wanted = {"level": "WARNING", "logger": "shop.orders", "message": "stock is low: 3"}
    assert len(those_with(events, **wanted)) == len(events) == 3
    assert len(list(filter(is_time, events))) == 2


GO = """
package main

import (
	"log"
	"log/slog"
	"os"
)

func main() {
	log.Println("plain")
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.Lshortfile)
	log.Println("with its place")
	slog.New(slog.NewTextHandler(os.Stderr, nil)).Warn("stock is low", "left", 3)
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Warn("stock is low", "left", 3)
}
"""


def test_go(workplace: Workplace) -> None:
    workplace.write("shop.go", GO)
    printed = output_of([find_go(), "run", "shop.go"], workplace.folder, TZ="UTC", GOFLAGS="-mod=mod")
    plain, placed, text, own = recognised(workplace, printed)
    assert is_time(plain)
    assert plain["message"] == "plain"
    assert (placed["file"], placed["message"]) == ("shop.go", "with its place")
    assert (text["level"], text["msg"], text["left"]) == ("WARN", "stock is low", "3")
    assert (own["level"], own["msg"], own["left"]) == ("WARN", "stock is low", 3)


JAVA = """
import java.util.logging.*;

public class Shop {
    public static void main(String[] arguments) {
        System.setProperty("java.util.logging.SimpleFormatter.format", arguments[0]);
        Logger.getLogger("shop.Orders").warning("stock is low: 3");
    }
}
"""
SPRING = "%1$tF %1$tT.%1$tL  WARN 12 --- [main] %3$s : %5$s%n"
LOGBACK = "%1$tT.%1$tL [main] WARN %3$s -- %5$s%n"


@pytest.mark.parametrize("layout", [SPRING, LOGBACK], ids=["Spring Boot", "Logback"])
def test_java(workplace: Workplace, layout: str) -> None:
    """Its own logging, in the layouts that others have by default."""
    workplace.write("Shop.java", JAVA)
    printed = output_of([find("java"), "Shop.java", layout], workplace.folder, TZ="UTC")
    (event,) = recognised(workplace, printed)
    assert (event["level"], event["logger"]) == ("WARN", "shop.Orders")
    assert event["message"] == "stock is low: 3"


JAVA_BY_DEFAULT = """
import java.util.logging.*;

public class Shop {
    public static void main(String[] arguments) {
        Logger log = Logger.getLogger("shop.Orders");
        log.warning("stock is low: 3");
        log.log(Level.SEVERE, "cannot order", new IllegalStateException("no stock"));
    }
}
"""


def test_java_by_default(workplace: Workplace) -> None:
    """java.util.logging writes two lines for each record, and the exception behind them."""
    workplace.write("Shop.java", JAVA_BY_DEFAULT)
    command = [find("java"), "-Duser.language=en", "-Duser.country=US", "Shop.java"]
    printed = output_of(command, workplace.folder, TZ="UTC")
    workplace.write("logrouter.yaml", "sources: {app: {type: stdin, multiline: auto}}\n")
    low, failed = recognised(workplace, printed)
    assert is_time(low)
    assert (low["level"], low["logger"], low["method"]) == ("WARNING", "Shop", "main")
    assert low["message"] == "stock is low: 3"
    assert (failed["level"], failed["message"]) == ("SEVERE", "cannot order")
    assert (failed["exception.type"], failed["exception.message"]) == ("java.lang.IllegalStateException", "no stock")


LOG4J = """
import org.apache.logging.log4j.LogManager;

public class Shop {
    public static void main(String[] arguments) {
        LogManager.getLogger("org.example.shop.Orders").warn("stock is low: {}", 3);
        LogManager.getLogger("org.example.shop.Orders").error("cannot order", new IllegalStateException("no stock"));
    }
}
"""
LOG4J_CONFIG = """
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = {layout}
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
LAYOUTS = {
    # config/log4j2.properties of OpenSearch, with the name of the node
    "OpenSearch": ("[%d{ISO8601}][%-5p][%-25c{1.}] [node-1]%marker %m%n", "o.e.s.Orders"),
    # config/log4j2.yaml of Kafka
    "Kafka": ("[%d] %p %m (%c)%n", "org.example.shop.Orders"),
    # https://logging.apache.org/log4j/2.x/manual/configuration.html, the default
    "Log4j": ("%d{yyyy-MM-dd HH:mm:ss.SSS} [%t] %-5level %logger{36} - %msg%n", "org.example.shop.Orders"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_log4j(workplace: Workplace, name: str) -> None:
    """The Log4j of OpenSearch, in the layouts of servers; the exception belongs to the line that logged it."""
    layout, logger = LAYOUTS[name]
    workplace.write("Shop.java", LOG4J)
    workplace.write("log4j2.properties", LOG4J_CONFIG.format(layout=layout))
    classes = f"{installed_opensearch() / 'libs'}/*"
    command = [find("java"), "-Dlog4j2.configurationFile=log4j2.properties", "-cp", classes, "Shop.java"]
    printed = output_of(command, workplace.folder, TZ="UTC")
    workplace.write("logrouter.yaml", "sources: {app: {type: stdin, multiline: auto}}\n")
    low, failed = recognised(workplace, printed)
    assert is_time(low)
    assert (low["level"], low["logger"], low["message"]) == ("WARN", logger, "stock is low: 3")
    assert (failed["level"], failed["logger"]) == ("ERROR", logger)
    assert failed["message"].splitlines()[0] == "cannot order"
    assert "IllegalStateException" in json.dumps(failed)


NODE = """
console.log(JSON.stringify({level: 30, msg: "as pino writes it"}));
console.log("an ordinary line of text");
console.error("level=warn msg=\\"as logfmt\\" left=3");
"""


def test_node(workplace: Workplace) -> None:
    own, text, pairs = recognised(workplace, output_of([find("node"), "-e", NODE], workplace.folder))
    assert own == {"level": 30, "msg": "as pino writes it"}
    assert text == {"message": "an ordinary line of text"}
    assert pairs == {"level": "warn", "msg": "as logfmt", "left": "3"}


RUST = Path(__file__).resolve().parent / "rust_shop"


def rust_shop() -> Path:
    """The program, built with the crates that its Cargo.lock names."""
    sources = [RUST / "Cargo.toml", RUST / "Cargo.lock", RUST / "src" / "main.rs"]
    version = zlib.crc32(b"".join(source.read_bytes() for source in sources))

    def build(folder: Path) -> None:
        target = folder / "target"
        command = [find("cargo"), "install", "--quiet", "--locked", "--debug", "--path", RUST, "--root", folder]
        run(command, folder, {"CARGO_TARGET_DIR": str(target)})
        shutil.rmtree(target)

    return installed(f"rust-shop-{version:08x}", build) / "bin" / "shop"


@pytest.mark.parametrize("logger", ["env_logger", "tracing"])
def test_rust(workplace: Workplace, logger: str) -> None:
    """Its last words are a panic, with a backtrace."""
    environment = {"RUST_LOG": "info", "RUST_BACKTRACE": "1", "NO_COLOR": "1"}
    printed = output_of([rust_shop(), logger], workplace.folder, **environment)
    workplace.write("logrouter.yaml", "sources: {app: {type: stdin, multiline: auto}}\n")
    low, died = recognised(workplace, printed)
    assert is_time(low)
    assert (low["level"], low["target"]) == ("WARN", "shop")
    if logger == "tracing":
        assert (low["message"], low["spans"], low["left"]) == ("stock is low", "order{id=7}", "3")
    else:
        assert low["message"] == "stock is low: 3"
    assert (died["level"], died["exception.type"]) == ("error", "panic")
    assert died["exception.message"] == "index out of bounds: the len is 0 but the index is 2"
    assert "stack backtrace:" in died["exception.stacktrace"]


RUBY = """
require "logger"
log = Logger.new($stderr, progname: "shop")
log.warn("stock is low: 3")
begin
  raise ArgumentError, "no stock"
rescue => error
  log.error(error)
end
def close = raise("closed")
close
"""


def test_ruby(workplace: Workplace) -> None:
    workplace.write("shop.rb", RUBY)
    printed = output_of([find("ruby"), "shop.rb"], workplace.folder, TZ="UTC")
    workplace.write("logrouter.yaml", "sources: {app: {type: stdin, multiline: auto}}\n")
    low, failed, died = recognised(workplace, printed)
    assert is_time(low)
    assert (low["level"], low["progname"], low["message"]) == ("WARN", "shop", "stock is low: 3")
    assert isinstance(low["pid"], int)
    assert (failed["level"], failed["progname"]) == ("ERROR", "shop")
    assert (failed["exception.type"], failed["exception.message"]) == ("ArgumentError", "no stock")
    assert (died["level"], died["exception.type"], died["exception.message"]) == ("error", "RuntimeError", "closed")


PHP = """<?php
error_log("stock is low: 3");
echo $nothing;
throw new RuntimeException("no stock");
"""


@pytest.mark.parametrize("way", ["error_log", "stderr", "displayed"])
def test_php(workplace: Workplace, way: str) -> None:
    workplace.write("shop.php", PHP)
    log = {"display_errors": "stderr" if way == "displayed" else "0", "log_errors": str(int(way != "displayed"))}
    options = {**log, "html_errors": "0", "date.timezone": "Europe/Stockholm"}
    if way == "error_log":
        options["error_log"] = str(workplace.folder / "php.log")
    settings = [part for name, value in options.items() for part in ("-d", f"{name}={value}")]
    printed = output_of([find("php"), *settings, "shop.php"], workplace.folder)
    if way == "error_log":
        printed = (workplace.folder / "php.log").read_bytes()
    workplace.write("logrouter.yaml", "sources: {app: {type: stdin, multiline: auto}}\n")
    low, undefined, died = recognised(workplace, printed)
    assert low["message"] == "stock is low: 3"
    assert (undefined["level"], undefined["type"]) == ("warning", "Warning")
    assert undefined["message"] == "Undefined variable $nothing"
    assert undefined["file"].endswith("shop.php")
    assert undefined["line"] == 3
    assert (died["level"], died["type"]) == ("error", "Fatal error")
    assert (died["exception.type"], died["exception.message"]) == ("RuntimeException", "no stock")
    assert all(map(is_time, (low, undefined, died))) == (way == "error_log")
