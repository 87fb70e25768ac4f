"""Work in a process of its own: reports, failures, a request to stop, and one process at a time."""

import pytest

from pneumo_core.data.work import (
    CANCELLED,
    Progress,
    cancel_work,
    do_work,
    is_working,
    progress_of,
    reporter,
    work_file,
)
from pneumo_core.errors import DataError
from pneumo_core.runs.files import hold_lock


def test_the_last_report_stays() -> None:
    assert progress_of("count") == Progress("Starting")

    def count() -> None:
        assert is_working("count")
        report = reporter("count", "Counting")
        for done in range(1, 4):
            report(done, 3)

    assert do_work("count", count) == 0
    assert progress_of("count") == Progress("Counting", 3, 3)
    assert not is_working("count")


def test_an_expected_error_is_reported() -> None:
    def fail() -> None:
        raise DataError("no images")

    assert do_work("fail", fail) == 1
    assert progress_of("fail") == Progress("Failed", error="no images")


def test_a_request_ends_it_at_the_next_report_and_is_forgotten() -> None:
    def count() -> None:
        report = reporter("count", "Counting")
        report(1, 3)
        cancel_work("count")
        report(2, 3)
        pytest.fail("it goes on")

    assert do_work("count", count) == 1
    assert progress_of("count") == Progress(CANCELLED)
    assert do_work("count", lambda: reporter("count", "Counting")(3, 3)) == 0
    assert progress_of("count") == Progress("Counting", 3, 3)


def test_a_bug_is_reported_and_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        do_work("bug", lambda: 1 / 0)
    assert "ZeroDivisionError" in progress_of("bug").error


def test_two_at_once_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    with hold_lock(work_file("count", ".lock")):
        assert do_work("count", lambda: pytest.fail("the other is at it")) == 1
    assert str(work_file("count", ".lock")) in capsys.readouterr().err
