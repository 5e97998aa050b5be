"""What the front logs arrives in the exporter's log, and is not lost where the exporter was killed."""

from __future__ import annotations

import logging

import pytest

from exporter.web.front.channel import Channel
from exporter.web.front.process import ToExporter


def logger_to(channel: Channel) -> logging.Logger:
    logger = logging.Logger("front")
    logger.addHandler(ToExporter(channel))
    return logger


def test_a_record_is_handed_over_with_its_level() -> None:
    ours, theirs = Channel.pair()
    logger_to(Channel(theirs)).warning("%d requests were refused", 3)
    assert ours.receive() == ("log", [logging.WARNING, "3 requests were refused"], [])
    ours.close()
    theirs.close()


def test_a_record_that_a_killed_exporter_cannot_take_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = Channel.pair()
    ours.close()
    logger_to(Channel(theirs)).warning("%d requests were refused", 3)
    theirs.close()
    assert capfd.readouterr().err == "3 requests were refused\n"
