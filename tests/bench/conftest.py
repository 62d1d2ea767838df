# SPDX-License-Identifier: MIT
"""Lets the tests see the modules of bench/run, and ends those that hang."""

import pathlib
import signal
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bench"))

TEST_LIMIT_S = 240


@pytest.fixture(autouse=True)
def last_deadline():
    def end(*_):
        raise AssertionError(f"the test did not end in {TEST_LIMIT_S} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(TEST_LIMIT_S)
    yield
    signal.alarm(0)
