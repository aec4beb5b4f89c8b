"""Several things that are wrong are told together."""

from __future__ import annotations

import pytest

from logrouter.errors import Complaints, SeveralErrors, each, refuse


def test_a_single_error_is_raised_as_it_is():
    wrong = ValueError("a")
    complaints = Complaints()
    with complaints:
        raise wrong
    with pytest.raises(ValueError, match=r"^a$") as caught:
        complaints.conclude()
    assert caught.value is wrong


def test_several_errors_are_one_with_all_of_them_in_order():
    complaints = Complaints()
    with complaints:
        refuse(["a", "b"])
    with complaints:
        raise ValueError("c")
    with pytest.raises(SeveralErrors, match=r"^a; b; c$") as caught:
        complaints.conclude()
    assert list(map(str, caught.value.errors)) == ["a", "b", "c"]


def test_nothing_wrong_is_no_complaint():
    complaints = Complaints()
    with complaints:
        made = each(int, ["1", "2"])
    complaints.conclude()
    refuse([])
    assert made == [1, 2]


def test_each_goes_on_behind_what_is_wrong():
    with pytest.raises(SeveralErrors, match=r"'x'.*'y'") as caught:
        each(int, ["x", "1", "y"])
    assert len(caught.value.errors) == 2


def test_other_errors_are_not_kept():
    complaints = Complaints()
    with pytest.raises(ZeroDivisionError), complaints:
        1 / 0  # noqa: B018 - it raises
    complaints.conclude()
