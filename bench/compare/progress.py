# SPDX-License-Identifier: MIT
"""Says what is being done: on a terminal in one line that is overwritten, else a line when a part
is done."""

import shutil
import sys


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.is_terminal = stream.isatty()

    def update(self, text):
        if self.is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\033[K" + text[:width])
            self.stream.flush()

    def line(self, text):
        """Stays."""
        self.stream.write(("\r\033[K" if self.is_terminal else "") + text + "\n")
        self.stream.flush()
