"""Messages with files: whole, in order, and without the file where there may be no more open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from exporter.web.front.channel import Channel, ClosedError, LostFileError


@contextmanager
def no_more_open_files() -> Iterator[None]:
    """Let this process open no further file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_message_whose_file_has_no_place_is_told_and_the_next_one_arrives() -> None:
    ours, theirs = Channel.pair()
    other = Channel(theirs)
    file = os.open(os.devnull, os.O_RDONLY)
    ours.send("connection", 1, [file])
    ours.send("connection", 2, [file])
    with no_more_open_files(), pytest.raises(LostFileError, match="raise the limit of open files"):
        other.receive()
    message = other.receive()
    assert message is not None
    assert message[:2] == ("connection", 2)
    assert len(message[2]) == 1
    for each in (file, *message[2]):
        os.close(each)
    ours.close()
    with pytest.raises(ClosedError):
        other.receive()
    other.close()


def test_a_message_after_the_end_was_closed_meets_a_closed_channel() -> None:
    ours, theirs = Channel.pair()
    ours.close()
    with theirs, pytest.raises(ClosedError):
        ours.send("tail", 1)
