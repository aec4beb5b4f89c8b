"""Fakes for tests of logrouter and of what plugs into it.

slice_of([b'{"a":1}', b"text"])     events as a sink gets them
instructions(sink, batch)           what a sink wants done
converse(sink.send(batch), answer)  the same where requests are answered, and what the sink says in the end
ScriptedSource([b"line\\n", 0.5])    a source that gives these bytes, and pauses so many seconds between
RecordingSink(SinkConfig(), …)      a sink that writes payloads as they are
RecordingTransport()                keeps what a sink writes; fails, hangs or is gone while a test says so
HttpServer([Reply(429), Reply()])   a server that answers by a script or a function, and keeps what it was asked
RespondingTransport(answer)         a function answers requests, on virtual time: for tests of delivery
assert_sink_contract(sink)          whatever its destination answers, a sink of HTTP keeps to what all must
FaultyDisk()                        the real file system, with faults at chosen calls
CrashingDisk()                      a file system in memory that is killed at chosen steps, or loses power

Nothing here reads a real clock: `trio.testing.MockClock` drives pauses and retries.
"""

from __future__ import annotations

from logrouter.crashing import CrashingDisk as CrashingDisk
from logrouter.crashing import Killed as Killed
from logrouter.testing.contract import assert_sink_contract as assert_sink_contract
from logrouter.testing.fakes import FaultyDisk as FaultyDisk
from logrouter.testing.fakes import RecordingSink as RecordingSink
from logrouter.testing.fakes import RecordingTransport as RecordingTransport
from logrouter.testing.fakes import ScriptedSource as ScriptedSource
from logrouter.testing.fakes import batch_of as batch_of
from logrouter.testing.fakes import converse as converse
from logrouter.testing.fakes import instructions as instructions
from logrouter.testing.fakes import slice_of as slice_of
from logrouter.testing.http import HttpServer as HttpServer
from logrouter.testing.http import Received as Received
from logrouter.testing.http import Reply as Reply
from logrouter.testing.responding import RespondingTransport as RespondingTransport
from logrouter.testing.responding import playing as playing
