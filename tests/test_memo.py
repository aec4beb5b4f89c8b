from __future__ import annotations

import pytest

from logrouter.memo import Memo


def test_each_argument_is_asked_once_until_there_are_too_many() -> None:
    asked: list[int] = []

    def double(number: int) -> int:
        asked.append(number)
        return 2 * number

    memo = Memo(double, 2)
    assert [memo[number] for number in (1, 2, 1, 3, 1)] == [2, 4, 2, 6, 2]
    assert asked == [1, 2, 3, 1]
    assert len(memo) == 2


def test_what_raises_is_not_remembered() -> None:
    memo = Memo(int, 2)
    with pytest.raises(ValueError, match="x"):
        memo["x"]
    assert memo == {}
