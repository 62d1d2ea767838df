# SPDX-License-Identifier: MIT
"""The modules of bench/run, which compares echo servers. bench/README.md tells the method."""
