"""How the sink `s3` stores one batch, so that each of its events is in one object, once, whatever breaks on the way.

    plan ── what is for the place of the open upload, its next part;
         │  all there is, if it is worth an upload of its own, the first part of one that is begun;
         │  anything else, an object sent whole
      ↓
    seal ── written down: the key, size and checksum of each of them
      ↓
    send ── objects; the part; and the upload is completed when it is large or old enough, when it is the last chance,
            or when there was something for another place

Sent again, a batch is stored as it was sealed:

- an object is sent to the same key, which is taken if it has arrived: then it is compared;
- a part is sent under the same number, which replaces it, as only completing counts. Is the upload gone, it has been
  completed, which the object at its key proves; or others have aborted it, and what was in it is lost;
- an upload that was begun, and whose id was not written down, is looked for by its key, and aborted.

Where the options have changed since, so that events are for other places now, what was sealed is looked for first: is
all of it there, the batch is delivered; is nothing of it, it is planned anew; is a part of it, that may be there twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal

import msgspec

from logrouter.aws.bucket import Bucket, Found, Refused, Sums, crc32_of_parts
from logrouter.aws.credentials import Conversation
from logrouter.aws.documents import Part
from logrouter.errors import DestinationError
from logrouter.instructions import Delivered, Pause, Seal
from logrouter.sinks import Batch
from logrouter.sinks._objects import (
    Content,
    Gathered,
    Packing,
    Sealed,
    Target,
    Upload,
    further,
    joined,
    key_of,
    name_of,
)

LEAST_PART_BYTES: Final = 5 * 2**20
"""A part that is smaller must be the last: Amazon S3, "multipart upload limits"."""
MOST_PARTS: Final = 100
"""They are written down with the cursor, in a file of a fixed size. S3 would take 10,000."""
_MOST_LISTED: Final = 100
"""Objects of one batch that are written down one by one, for the same reason."""
_MOST_KEYS: Final = 9
"""So often a key that is taken by something else makes way for another."""


class Rules(msgspec.Struct, frozen=True):
    """How objects are named, made and cut."""

    sink: str
    form: str
    """The suffix of files of this kind."""
    packing: Packing
    object_bytes: int
    age_ns: int
    only_new: bool
    """Whether no object may take another's place."""


class Storing:
    """One try to store one batch."""

    def __init__(self, bucket: Bucket, rules: Rules, batch: Batch, now_ns: int) -> None:
        self._bucket = bucket
        self._rules = rules
        self._batch = batch
        self._now_ns = now_ns
        self._gathered = [part for part in batch.encoded if isinstance(part, Gathered)]
        self._carried = msgspec.convert(batch.carried, Upload) if batch.carried else None
        self._noted = msgspec.convert(batch.memo, Sealed) if batch.memo else None
        self._contents: dict[str, Content] = {}
        self._sums: dict[str, Sums] = {}
        self._duplicates = self._doubts = self._lost = 0

    def run(self) -> Conversation[Delivered]:
        """Do it. Raises DestinationError where it is to be tried again."""
        yield from self._pack()
        noted = self._noted
        if noted is not None and not self._is_still_so(noted):
            if (yield from self._has_arrived(noted)):
                return self._delivered(self._carried)
            noted = None
        for place, content in self._contents.items():
            self._sums[place] = yield from self._bucket.sums(content.frames)
        plan = noted or self._plan()
        if plan.unlisted:
            plan.objects = self._objects(plan.part)
        self._doubts = plan.doubts
        upload = self._carried or plan.begun
        if noted is None and self._contents:
            yield _seal(plan)
        for target in plan.objects:
            yield from self._store(target, plan)
        if upload is not None:
            upload = yield from self._extend(upload, plan)
        return self._delivered(upload)

    def _delivered(self, upload: Upload | None) -> Delivered:
        carried = msgspec.to_builtins(upload) if upload is not None else None
        return Delivered(self._duplicates, carried, self._doubts, self._lost)

    def _pack(self) -> Conversation[None]:
        """Compress what is not yet, and bring together what is for the same place."""
        by_place: dict[str, list[Content]] = {}
        for part in self._gathered:
            for place, content in part.contents.items():
                content.finish(self._rules.packing)
                by_place.setdefault(place, []).append(content)
                yield Pause()
        self._contents = {place: joined(contents) for place, contents in by_place.items()}

    # ── what is to be done ──

    def _plan(self) -> Sealed:
        upload = self._carried
        plan = Sealed(self._rules.form, doubts=self._doubts)
        if upload is None and self._is_worth_an_upload():
            plan.begun = upload = self._new_upload(next(iter(self._contents)))
        if upload is not None and upload.place in self._contents and upload.form == self._rules.form:
            plan.part = self._target(upload.place, upload.key)
        plan.objects = self._objects(plan.part)
        return plan

    def _objects(self, part: Target | None) -> list[Target]:
        """What is sent whole: all but the part."""
        places = [place for place in self._contents if part is None or place != part.place]
        return [self._target(place, self._key(place)) for place in places]

    def _is_worth_an_upload(self) -> bool:
        if len(self._contents) != 1 or self._batch.last:
            return False
        (content,) = self._contents.values()
        is_full = content.size_bytes + content.spared_bytes >= self._rules.object_bytes
        return content.size_bytes >= LEAST_PART_BYTES and not is_full

    def _new_upload(self, place: str) -> Upload:
        received_ns = self._gathered[0].received_ns
        is_live = self._now_ns - received_ns < self._rules.age_ns  # else an outage made it old: objects grow by size
        return Upload(place, self._rules.form, self._key(place), "", received_ns if is_live else self._now_ns)

    def _target(self, place: str, key: str) -> Target:
        return Target(place, key, self._contents[place].size_bytes, self._sums[place].crc32)

    def _key(self, place: str) -> str:
        name = name_of(self._batch, self._rules.sink, self._gathered[0].received_ns)
        return key_of(place, name, self._rules.form)

    def _is_due(self, upload: Upload, plan: Sealed) -> bool:
        """Whether an upload is to be completed now."""
        return (
            self._batch.last
            or bool(plan.objects)
            or upload.size_bytes + upload.spared_bytes >= self._rules.object_bytes
            or self._now_ns - upload.opened_ns >= self._rules.age_ns
            or upload.parts[-1].size_bytes < LEAST_PART_BYTES
            or len(upload.parts) >= MOST_PARTS
        )

    # ── what was sealed before ──

    def _is_still_so(self, noted: Sealed) -> bool:
        """Whether the batch can be stored as it was sealed. One that goes to a single place always can."""
        targets = noted.targets
        if noted.form != self._rules.form:
            return False
        if noted.unlisted:
            return len(self._contents) == noted.unlisted + len(targets)
        if len(targets) == 1 and self._contents:
            self._contents = {targets[0].place: joined(list(self._contents.values()))}
        return self._contents.keys() == {target.place for target in targets}

    def _has_arrived(self, noted: Sealed) -> Conversation[bool]:
        """Whether all that was sealed is there. If it is not, it is made ready to be planned anew."""
        there: list[bool | None] = [None] * noted.unlisted  # None: nobody tells us
        for target in noted.objects:
            found = yield from self._look_at(target.key)
            is_like = isinstance(found, Found) and found.is_like(target.size_bytes, target.crc32)
            there.append(None if found == "hidden" else is_like)
        upload = self._carried or noted.begun
        if upload is not None and noted.part is not None:
            found = yield from self._look_at(upload.key)
            is_like = _is_made_of(found, [*upload.parts, _part_of(noted.part)])
            there.append(None if found == "hidden" else is_like)
            if there[-1]:
                self._carried = None
            elif noted.begun is not None and self._carried is None:
                yield from self._clear_up(noted.begun)
        events = sum(content.events for content in self._contents.values())
        if all(there):
            self._duplicates = events
            return True
        self._doubts = noted.doubts if there.count(False) == len(there) else events
        return False

    # ── objects ──

    def _store(self, target: Target, plan: Sealed) -> Conversation[None]:
        content, sums = self._contents[target.place], self._sums[target.place]
        wanted = target.key
        for number in range(2, _MOST_KEYS + 2):
            if (yield from self._bucket.put(target.key, content.frames, sums, self._rules.only_new)) == "stored":
                return
            if (yield from self._is_ours(target)):
                self._duplicates += content.events
                return
            if self._noted is not None:
                plan.doubts = self._doubts = max(self._doubts, content.events)
            target.key = further(wanted, number)
            yield _seal(plan)
        raise DestinationError(f"{wanted} is taken by an object that is not ours, and so are all names beside it")

    def _is_ours(self, target: Target) -> Conversation[bool]:
        """Whether the object at a target's key is what was to be stored there, now or when it was sealed."""
        found = yield from self._look_at(target.key)
        if found is None:
            raise DestinationError(f"{target.key} was there, and is no longer")
        if found == "hidden":
            return self._noted is not None
        sent = self._target(target.place, target.key)
        return any(found.is_like(one.size_bytes, one.crc32) for one in (sent, target))

    def _look_at(self, key: str) -> Conversation[Found | Literal["hidden"] | None]:
        """What is there. `hidden`: we may not know, which is the usual permission of who only writes."""
        try:
            return (yield from self._bucket.find(key))
        except Refused as error:
            if error.status != 403:
                raise
            return "hidden"

    # ── uploads ──

    def _extend(self, before: Upload, plan: Sealed) -> Conversation[Upload | None]:
        """Send the next part, if there is one, and complete the upload if that is due. None: it is no longer open."""
        if not before.upload_id:
            yield from self._begin(before, plan)
        upload = before
        if plan.part is not None:
            content, sums = self._contents[plan.part.place], self._sums[plan.part.place]
            number = len(before.parts) + 1
            part = yield from self._bucket.upload_part(before.key, before.upload_id, number, content.frames, sums)
            if part is None:
                yield from self._look_after(before, plan)
                return None
            upload = msgspec.structs.replace(
                before,
                parts=[*before.parts, part],
                spared_bytes=before.spared_bytes + content.spared_bytes,
                events=before.events + content.events,
            )
        if not self._is_due(upload, plan):
            return upload
        done = yield from self._bucket.complete_upload(upload.key, upload.upload_id, upload.parts, self._rules.only_new)
        found = yield from self._look_at(upload.key)  # some servers say 200 to what they no longer know
        is_there = found == "hidden" or _is_made_of(found, upload.parts)
        if done == "exists":
            if not is_there:
                raise DestinationError(f"another object has been put at {upload.key}: move it elsewhere")
            yield from self._clear_up(upload)
        elif done == "gone" or not is_there:
            yield from self._look_after(before, plan)
        return None

    def _begin(self, upload: Upload, plan: Sealed) -> Conversation[None]:
        if self._noted is not None:
            yield from self._clear_up(upload)
        upload.upload_id = yield from self._bucket.create_upload(upload.key)
        yield _seal(plan)

    def _clear_up(self, upload: Upload) -> Conversation[None]:
        """Abort an upload, or all that were begun for its key. What is left costs money, and nothing else."""
        with suppress(Refused):
            ids = [upload.upload_id] if upload.upload_id else (yield from self._bucket.upload_ids(upload.key))
            for upload_id in ids:
                yield from self._bucket.abort_upload(upload.key, upload_id)

    def _look_after(self, before: Upload, plan: Sealed) -> Conversation[None]:
        """An upload is gone: find out whether it was completed, and with the part that was to come."""
        found = yield from self._look_at(before.key)
        part = plan.part
        if part is not None:
            sent = self._target(part.place, part.key)
            with_it = any(_is_made_of(found, [*before.parts, _part_of(one)]) for one in (sent, part))
            if with_it or (found == "hidden" and self._noted is not None):
                self._duplicates += self._contents[part.place].events
                return
        if before.parts and not _is_made_of(found, before.parts) and not (part is None and found == "hidden"):
            self._lost = before.events
        if part is not None:
            alone = self._target(part.place, self._key(part.place))
            plan = Sealed(plan.form, [*plan.objects, alone], doubts=self._doubts)
            yield _seal(plan)
            yield from self._store(alone, plan)


def _seal(plan: Sealed) -> Seal:
    many = len(plan.objects) > _MOST_LISTED
    short = msgspec.structs.replace(plan, objects=[], unlisted=len(plan.objects)) if many else plan
    return Seal(msgspec.to_builtins(short))


def _part_of(target: Target) -> Part:
    return Part("", target.crc32, target.size_bytes)


def _is_made_of(found: Found | Literal["hidden"] | None, parts: Sequence[Part]) -> bool:
    size_bytes = sum(part.size_bytes for part in parts)
    return isinstance(found, Found) and found.is_like(size_bytes, crc32_of_parts(parts))
