# SPDX-License-Identifier: MIT
"""Known differences are measured as what they are: make bench-test, on a machine that is quiet."""

import pytest
from programs import BUILD, run_bench

pytestmark = pytest.mark.measured

ROUNDS = 20
KEPT_MIN = 15  # with fewer the machine is too busy to say anything


def compare(tmp_path, a, b, cells):
    """What b gains over a in the last of the cells, and the whole results."""
    status, said, found = run_bench(tmp_path, "--a", a, "--b", b, "--cells", cells,
                                    "--rounds", ROUNDS, "--seconds", 30)
    assert status == 0, said
    one = found["cells"][-1]["comparisons"][0]
    kept = one["estimate"]["rounds"] if one["estimate"] else 0
    if kept < KEPT_MIN:
        pytest.skip(f"only {kept} of {ROUNDS} rounds were undisturbed: the machine is busy")
    print(said)
    return one, found


def test_ten_percent_more_shows_as_ten_percent(tmp_path):
    one, _ = compare(tmp_path, f"{BUILD}/faulty --burn 0", f"{BUILD}/faulty --burn 10",
                     "^tcp/50/64/1$")
    assert 1.07 <= 1 / one["estimate"]["ratio"] <= 1.13
    assert one["verdict"] == "loses"


def test_equal_servers_come_out_equal(tmp_path):
    one, found = compare(tmp_path, f"{BUILD}/epoll-bare", f"{BUILD}/epoll-bare",
                         "^tcp/50/64/1(/control)?$")
    assert one["verdict"] == "equal"
    assert found["noise"]["shared"] <= 0.03
    assert all(0.97 <= control["estimate"]["ratio"] <= 1.03
               for control in found["cells"][0]["comparisons"])
