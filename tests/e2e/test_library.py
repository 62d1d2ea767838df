# SPDX-License-Identifier: MIT
"""What only the library's counters can show, by a service that uses the shared library."""

import json
import pathlib
import subprocess
import sys

import pytest

import library
from program import DEADLINE_S, is_sanitized, program_file

BYTES = library.MESSAGES * library.BYTES


@pytest.mark.io_uring("the library gets no options")
@pytest.mark.skipif(is_sanitized(), reason="Python cannot load a sanitized library")
@pytest.mark.parametrize("mode, copied", [("same", 0), ("copy", BYTES)])
def test_echo_in_place(mode, copied):
    """Bytes that are sent from inside a received message are not copied; the same bytes sent from
    elsewhere are, each once, which shows that the counter counts."""
    script = pathlib.Path(__file__).with_name("library.py")
    shared = pathlib.Path(program_file()).with_name("librollcall.so")
    done = subprocess.run([sys.executable, script, shared, mode], stdout=subprocess.PIPE,
                          timeout=DEADLINE_S, check=True)
    counters = json.loads(done.stdout)
    assert counters["bytes_received"] == counters["bytes_sent"] == BYTES
    assert counters["bytes_copied"] == copied
    assert counters["tcp_clients"] == 1 and counters["tcp_clients_now"] == 0
