"""A step that is given many events at once."""

from __future__ import annotations

from collections.abc import Iterable

from logrouter.chain.stages import Stage, Traveller
from logrouter.documents import read_document, write_document
from logrouter.event import Flag
from logrouter.facts import Facts


class BatchStage(Stage):
    """Holds that step alone. Single events, which other steps make by themselves, go through it as through any."""

    def through_all(self, events: Iterable[Traveller], facts: Facts) -> list[Traveller]:
        """Events after the step, which is given as many of them at once as stand next to each other."""
        (named,) = self.steps
        after: list[Traveller] = []
        together: list[Traveller] = []
        for event in events:
            (document, _, _), own, unclear = event
            when = named.when_unclear if unclear else named.when
            if document is not None and (when is None or when.test(document, own)):
                together.append(event)
                continue
            after += self._batch(together, facts)
            after.append(event)
            together = []
        return after + self._batch(together, facts)

    def _batch(self, events: list[Traveller], facts: Facts) -> list[Traveller]:
        """These events after the step; where it fails, each after it alone, as far as it may be tried."""
        if not events:
            return []
        (named,) = self.steps
        try:
            after = self._made_of(events, facts)
        except Exception as error:
            if len(events) == 1 or not getattr(error, "again", True):
                failed = (((payload, flags), own, unclear) for (_, payload, flags), own, unclear in events)
                return [(self._after_failure(named, *event, error), own, unclear) for event, own, unclear in failed]
            alone = (
                ((read_document(payload, flags), payload, flags), own, unclear)
                for (_, payload, flags), own, unclear in events
            )
            return [after for event in alone for after in self._batch([event], facts)]
        if (more := len(after) - len(events)) > 0:
            self._tally.added[named.name] += more
        elif more:
            self._tally.discarded[named.name] -= more
        return after

    def _made_of(self, events: list[Traveller], facts: Facts) -> list[Traveller]:
        """What the step makes of several events. Those that it has changed keep what is known of them. Raises."""
        documents = [document for (document, _, _), _, _ in events if document is not None]
        places = {id(document): place for place, document in enumerate(documents)}
        made: list[Traveller] = []
        for document in self.steps[0].step.apply_batch(documents):
            new: Traveller = ((None, b"", Flag.JSON), facts, None)
            (_, payload, flags), own, unclear = events[places[id(document)]] if id(document) in places else new
            event = write_document(document, payload, flags)
            made.append(((read_document(*event), *event), own, unclear))
        return made
