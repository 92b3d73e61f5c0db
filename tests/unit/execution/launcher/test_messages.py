"""What the two processes of a tick say to each other: plain values through a pipe, whole and in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.launcher.serialization import pack_job, pack_result, unpack_job, unpack_result
from runner.model.attempt_result import AttemptResult, RunError
from runner.model.job import Job
from runner.model.limits import Limits
from runner.model.retry import Retry

_MICROSECOND = timedelta(microseconds=1)
#: Also what is no UTF-8: names of files that a task prints, halves of surrogate pairs.
_TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
_SPANS = st.integers(0, 10**14).map(lambda number: number * _MICROSECOND)
_INSTANTS = st.integers(0, 7 * 10**15).map(lambda number: datetime(1970, 1, 1, tzinfo=UTC) + number * _MICROSECOND)
_COUNTS = st.none() | st.integers(0, 2**62)

_LIMITS = st.builds(
    Limits, memory=_COUNTS, cpu=st.none() | _SPANS, processes=_COUNTS, open_files=_COUNTS, file_size=_COUNTS
)
_RETRIES = st.builds(Retry, attempts=st.integers(1, 100), delay=_SPANS, backoff=st.floats(1, 100), max_delay=_SPANS)
_JOBS = st.builds(
    Job,
    run_id=st.integers(1, 2**62),
    task=_TEXTS,
    path=_TEXTS,
    code=_TEXTS,
    code_line=st.integers(1, 10**6),
    timezone=_TEXTS,
    timeout=_SPANS,
    kill_grace=_SPANS,
    scheduled_for=st.none() | _INSTANTS,
    attempt=st.integers(1, 1_000),
    retry=_RETRIES,
    limits=_LIMITS,
    env=st.lists(st.tuples(_TEXTS, _TEXTS), max_size=3).map(tuple),
    secrets=st.lists(_TEXTS, max_size=3).map(tuple),
)
_RESULTS = st.builds(
    AttemptResult,
    status=_TEXTS,
    started_at=st.none() | _INSTANTS,
    finished_at=_INSTANTS,
    reason=st.none() | _TEXTS,
    exit_code=st.none() | st.integers(-(2**31), 2**31),
    signal=st.none() | st.integers(1, 64),
    error=st.none() | st.builds(RunError, _TEXTS, _TEXTS, st.none() | _TEXTS, _COUNTS),
    traceback=st.none() | _TEXTS,
    output=st.binary(max_size=50),
    output_dropped_bytes=st.integers(0, 2**62),
)


@contextmanager
def _pipe() -> Iterator[tuple[Receiver, Sender]]:
    reading, writing = os.pipe()
    try:
        yield Receiver(reading), Sender(writing)
    finally:
        os.close(reading)
        os.close(writing)


@given(job=_JOBS, result=_RESULTS)
def test_a_job_and_a_result_are_the_same_at_the_other_end(job: Job, result: AttemptResult) -> None:
    with _pipe() as (receiver, sender):
        sender.send("start", pack_job(job))
        sender.send("ended", pack_result(result))
        (_, packed_job), (_, packed_result) = receiver.receive()

    assert unpack_job(packed_job) == job
    assert unpack_result(packed_result) == result


@given(sizes=st.lists(st.sampled_from([0, 1, 100, 4_096, 65_535, 65_536, 65_537, 300_000]), max_size=8))
def test_however_large_messages_are_they_come_whole_and_in_order_and_nobody_waits(sizes: list[int]) -> None:
    sent = [(number, bytes([number % 256]) * size) for number, size in enumerate(sizes)]
    received: list[tuple[object, ...]] = []
    with _pipe() as (receiver, sender):
        for message in sent:
            sender.send(*message)
        while len(received) < len(sent):
            received += receiver.receive()
            sender.flush()
        assert not sender.is_behind()

    assert received == sent


@given(cuts=st.lists(st.integers(1, 40), max_size=10))
def test_a_message_that_comes_in_pieces_is_one_message(cuts: list[int]) -> None:
    with _pipe() as (whole, sender):
        sender.send("ended", 7, {"output": b"text" * 5})
        data = os.read(whole.descriptor, 65_536)
    received: list[tuple[object, ...]] = []
    with _pipe() as (receiver, pieces):
        for size in [*cuts, len(data)]:
            piece, data = data[:size], data[size:]
            if piece:
                os.write(pieces.descriptor, piece)
                received += receiver.receive()

    assert received == [("ended", 7, {"output": b"text" * 5})]


def test_who_receives_learns_that_the_other_side_is_gone_after_its_last_message() -> None:
    reading, writing = os.pipe()
    receiver, sender = Receiver(reading), Sender(writing)
    sender.send("close")
    os.close(writing)

    assert (receiver.receive(), receiver.is_closed) == ([("close",)], False)
    assert (receiver.receive(), receiver.is_closed) == ([], True)
    os.close(reading)


def test_who_sends_learns_that_the_other_side_is_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with pytest.raises(BrokenPipeError):
        Sender(writing).send("start")
    os.close(writing)
