"""Places that the spool has kept, and the files that they are of."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from logrouter.runtime.tailing.known import Known
from logrouter.runtime.tailing.place import Head, Place, decode, encode, head_of

DEVICE = os.stat("/").st_dev


def place(folder: str, *, inode: int = 7, device: int = DEVICE, head: bytes = b"one\n", generation: int = 0) -> bytes:
    path = f"{folder}/a.log".encode()
    return encode(Place(4, b"", device, inode, head_of(head), path, path, 0, generation))


def known(*positions: bytes) -> Known:
    found = Known()
    for number, position in enumerate(positions):
        found.add(f"{number}", position)
    return found


def test_what_another_version_has_written_is_no_place() -> None:
    assert decode(b"") is None
    assert decode(b"\x93\x01\x02\x03") is None
    assert not known(b"nothing of ours")


def test_a_file_is_known_by_its_inode_and_what_it_begins_with() -> None:
    places = known(place("/logs"))
    assert places.take((DEVICE, 8), b"one\ntwo\n") is None
    assert places.take((DEVICE, 7), b"another\n") is None
    assert places.take((DEVICE, 7), b"on") is None, "it has become shorter"
    found = places.take((DEVICE, 7), b"one\ntwo\n")
    assert found is not None
    assert found[0] == "0"
    assert not places


@pytest.mark.parametrize(("before", "now", "is_it"), [(5, 5, True), (5, 6, False), (0, 6, True), (5, 0, True)])
def test_an_inode_of_another_generation_is_another_file(before: int, now: int, is_it: bool) -> None:
    """Where it is not told, the beginning alone must do."""
    found = known(place("/logs", generation=before)).take((DEVICE, 7), b"one\ntwo\n", now)
    assert (found is not None) == is_it


def test_what_was_written_before_there_were_generations_is_read() -> None:
    found = decode(msgspec.msgpack.encode([4, b"", 1, 7, [0, b""], b"/a", b"/a"]))
    assert found == Place(4, b"", 1, 7, Head(), b"/a", b"/a")


def test_a_device_may_have_another_number_after_a_restart_of_the_machine() -> None:
    places = known(place("/logs", device=1), place("/logs", device=2, head=b""))
    found = places.take((3, 7), b"one\ntwo\n")
    assert found is not None
    assert found[0] == "0"
    assert places.take((3, 7), b"one\ntwo\n") is None, "a file that was empty could be any"


def test_what_is_gone_is_told_from_what_is_not_mounted(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    places = known(place(f"{tmp_path}/no/such/folder", device=device), place(str(tmp_path), device=device + 1, inode=8))
    assert [key for key, _ in places.take_gone()] == ["0"]
    assert "1" in places


def test_streams_of_one_file_may_have_been_read_in_different_ones() -> None:
    """One had moved on in the copy of a file that was truncated when the process ended, the other had not."""
    places = Known()
    places.add("key/stdout", place("/logs", inode=8))
    places.add("key/stderr", place("/logs", inode=7))
    found = places.take((DEVICE, 8), b"one\ntwo\n")
    assert found is not None
    assert set(found[1]) == {"stdout", "stderr"}
    assert not places.may_be((DEVICE, 7))
    assert places.take((DEVICE, 7), b"one\ntwo\n") is None
