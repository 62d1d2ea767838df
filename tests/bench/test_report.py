# SPDX-License-Identifier: MIT
"""Table, closing paragraph, report and results.json, made from results that are made up."""

import html.parser
import json
import re

import made_up
import pytest
from compare import cells, closing, plots, report, results, table

LOADS = ((50, 64, 1), (50, 1024, 1), (50, 1024, 16), (1000, 64, 1))


@pytest.fixture
def mixed():
    """Wins one cell, is equal in one and loses one."""
    return made_up.complete(
        made_up.control(), *made_up.against_bare((50, 64, 1), rollcall=5000),
        *made_up.against_bare((50, 1024, 1), rollcall=6000),
        *made_up.against_bare((50, 16384, 1), rollcall=7500))


def lines_of(results_, text):
    return [line for line in table.terminal(results_, False).splitlines() if line.startswith(text)]


def test_table_marks_what_loses(mixed):
    won, = lines_of(mixed, "tcp/50/64/1 ")
    assert won.split()[-1] == "wins"
    equal, = lines_of(mixed, "tcp/50/1K/1 ")
    assert equal.split()[-2:] == ["short", "equal"]
    lost, = lines_of(mixed, "tcp/50/16K/1 ")
    assert lost.split()[-3:] == ["short", "LOSES", "<<"]
    text = table.terminal(mixed, False)
    assert text.count("<<") == 1
    assert "\033" not in text
    assert table.RED in table.terminal(mixed, True)


@pytest.mark.parametrize("cost, verdict", [(5700, "allowed"), (6000, "LOSES <<")])
def test_what_may_cost_more(cost, verdict):
    """Reply has a figure to reach below 1: what reaches it is not marked as lost."""
    found = made_up.complete(made_up.measured(
        cells.reply(50, 64, 1), {"rollcall": 5000, "rollcall reply": cost}))
    row, = lines_of(found, "tcp/50/64/1/reply")
    assert row.endswith(verdict)


def test_table_shows_ratio_and_interval(mixed):
    cell = mixed["cells"][1]
    one = cell["comparisons"][0]["estimate"]
    won, = lines_of(mixed, "tcp/50/64/1 ")
    assert f"{one['ratio']:.3f}" in won
    assert f"{one['interval'][0]:.3f}-{one['interval'][1]:.3f}" in won
    assert 1.17 < one["ratio"] < 1.23


def test_table_fits_a_terminal(mixed):
    text = table.terminal(mixed, False)
    tables = text[:text.index(table.noise(mixed))].splitlines()
    assert tables and max(map(len, tables)) <= 110


def test_remarks_count_what_is_reached(mixed):
    assert any("of 3 reached" in line for line in table.remarks(mixed))


def test_control_shows_the_noise(mixed):
    rows = lines_of(mixed, "tcp/50/64/1/control")
    assert len(rows) == 2 and all(row.endswith("A/A") for row in rows)
    assert mixed["noise"]["shared"] < 0.03 and mixed["noise"]["apart"] is None
    assert any(f"{mixed['noise']['shared']:.1%} on a shared core" in line
               for line in table.remarks(mixed))


def test_placements_have_tables_and_noise_of_their_own():
    """Equal servers that differ on two cores make nothing uncertain on a shared one, and a cell on
    two cores says nothing about the cost."""
    costs = {"rollcall": 5000, "epoll-bare": 6000}
    bound = made_up.measured(cells.client_bound("tcp", 50, 64, 1),
                             {**costs, "rollcall again": 5400})
    found = made_up.complete(made_up.control(), bound,
                             *made_up.against_bare((50, 64, 1), rollcall=5000))
    assert found["noise"]["shared"] < 0.03 < found["noise"]["apart"]
    text = table.terminal(found, False)
    shared, apart = (text.index(table.PLACEMENTS[name][0]) for name in ("shared", "apart"))
    assert shared < text.index("tcp/50/64/1 ") < apart < text.index("tcp/50/64/1/client-bound ")
    assert closing.against(found, "epoll-bare") == [(found["cells"][2],
                                                     found["cells"][2]["comparisons"][0])]
    assert report.render(found).count("<table") == report.render(made_up.complete(
        made_up.control())).count("<table") + 1


def test_time_that_nobody_has_is_told():
    quiet, = made_up.against_bare((50, 64, 1), rollcall=5000)
    assert not any("Up to" in line for line in table.remarks(made_up.complete(quiet)))
    for one in quiet["rounds"]:
        one["slices"]["rollcall"] = made_up.one_slice(5000, idle=0.3)
    assert any(line.startswith("Up to 30% of the time of a shared core")
               for line in table.remarks(made_up.complete(quiet)))


def test_fault_is_loud():
    cell, = made_up.against_bare((50, 64, 1), rollcall=5000)
    found = made_up.complete({**cell, "fault": "rollcall: wrong bytes at position 7"})
    row, = lines_of(found, "tcp/50/64/1 ")
    assert row.endswith("FAULT <<")
    assert results.faults(found) == ["TCP 50 clients, 64 B: rollcall: wrong bytes at position 7"]
    assert "does not tell" in found["closing"]


def test_system_calls_that_are_too_many():
    cell, = made_up.against_bare((50, 64, 1), rollcall=5000)
    cell["system_calls"]["rollcall"] = 0.3
    found = made_up.complete(cell)
    assert any("reached in 0 of 1 cells; not in TCP 50 clients, 64 B: 0.300" in line
               for line in table.remarks(found))


def test_growth():
    found = made_up.complete(*made_up.against_bare((50, 1024, 1), rollcall=5000),
                             *made_up.against_bare((10000, 1024, 1), rollcall=8000, bare=12000))
    line, = table.growth(found)
    own, other = (float(part.split(" times")[0].split()[-1])
                  for part in line.split(": ")[1].split(", "))
    assert own == pytest.approx(1.6, abs=0.25) and other == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("costs, expected", [
    ((5000, 5000, 5000, 5000), "Yes."),
    ((5000, 5000, 5000, 7500), "Mostly yes, but not for every load."),
    ((7500, 7500, 7500, 7500), "No."),
    ((7500, 7500, 7500, 5000), "Mostly no."),
    ((5000, 5000, 7500, 7500), "It depends on the load."),
    ((5000, 6000, 6000, 6000), "It depends on the load."),
    ((6000, 6000, 6000, 6000), "It makes no difference that could be measured."),
])
def test_closing_answers(costs, expected):
    found = made_up.complete(made_up.control(), *(
        cell for load, cost in zip(LOADS, costs)
        for cell in made_up.against_bare(load, rollcall=cost)))
    assert found["closing"].startswith(f"{closing.QUESTION} {expected} Of 4 loads")


def test_closing_names_what_wins_and_loses(mixed):
    text = mixed["closing"]
    assert "than a bare epoll server in 1, as much in 1, and more in 1" in text
    assert re.search(r"It saves in: TCP 50 clients, 64 B: 1[5-8]% less\.", text)
    assert re.search(r"It costs more in: TCP 50 clients, 16 KiB: 2[3-7]% more\.", text)
    assert "loopback" in text


def test_difference():
    assert closing.difference(1.25) == "20% less"
    assert closing.difference(0.8) == "25% more"
    assert closing.difference(1.004) == "as much"


def test_closing_tells_like_for_like_and_latency():
    costs = {"rollcall": 5000, "epoll-bare": 6000, "rollcall-epoll": 6500}
    found = made_up.complete(
        made_up.measured(cells.tcp(50, 64, 1, ("rollcall-epoll",)), costs),
        made_up.measured(cells.latency(50, 64), costs))
    assert "(rollcall-epoll)" in found["closing"] and "23% less" in found["closing"]
    assert "Latency at a low rate: TCP 50 clients" in found["closing"]
    assert "0.040 system calls" in found["closing"]
    assert "There was no control" in found["closing"]


@pytest.mark.parametrize("costs, expected", [
    ((5000, 5000), "io_uring is the one to use: epoll is cheaper for no load."),
    ((5000, 6600), "Use `--engine epoll` for: TCP 1 client, 64 B. Use io_uring for the rest."),
    ((6000, 6600),
     "Use `--engine epoll` for: TCP 1 client, 64 B. Use io_uring where it makes no difference."),
])
def test_closing_names_the_engine(costs, expected):
    cells_ = [made_up.measured(cells.tcp(clients, 64, 1, ("rollcall-epoll",)),
                               {"rollcall": cost, "epoll-bare": 5500, "rollcall-epoll": 6000})
              for clients, cost in zip((50, 1), costs)]
    assert expected in made_up.complete(made_up.control(), *cells_)["closing"]


def rates():
    """Three rates of a load, at which rollcall takes more, as much and less."""
    return [made_up.measured(cells.rate("tcp", 50, 64, share, with_control=True),
                             {"rollcall": cost, "epoll-bare": 6000})
            for share, cost in zip(cells.RATE_SHARES, (6600, 6000, 5000))]


def test_rates_have_the_first_table():
    found = made_up.complete(*rates(), made_up.control(),
                             *made_up.against_bare((50, 64, 1), rollcall=5000))
    text = table.terminal(found, False)
    assert text.startswith(table.PLACEMENTS["rate"][0])
    assert text.index("tcp/50/64/1/rate/75% ") < text.index("tcp/50/64/1 ")
    cost, latency, _ = lines_of(found, "tcp/50/64/1/rate/25%")
    assert "epoll-bare " in cost and cost.endswith("0.97 short  LOSES <<")
    assert "epoll-bare, p99 " in latency and "LOSES" in latency
    assert found["noise"]["rate"] < 0.03
    assert re.search(r"at fixed rates, it takes (as much|[0-3]% (less|more)) in the median of "
                     r"3 loads, from 1[5-8]% less to (9|10|11)% more\.", found["closing"])


def test_latency_without_a_control_needs_more_than_noise():
    """Its noise is not that of the cost."""
    cell = made_up.measured(cells.rate("tcp", 50, 64, 0.5, with_control=True),
                            {"rollcall": 6240, "epoll-bare": 6000})
    cost, latency = made_up.complete(cell)["cells"][0]["comparisons"][:2]
    assert (cost["verdict"], latency["verdict"]) == ("loses", "equal")


def test_results_are_saved_and_read_again(mixed, tmp_path):
    path = results.save(mixed, tmp_path)
    again = results.load(path)
    assert again == json.loads(json.dumps(mixed))
    assert table.terminal(again, False) == table.terminal(mixed, False)


@pytest.mark.parametrize("spoil, complaint", [
    (lambda found: found.pop("noise"), "results has no noise"),
    (lambda found: found["cells"][0].pop("rounds"), r"results.cells\[0\] has no rounds"),
    (lambda found: found.update(seconds="long"), "results.seconds is 'long'"),
    (lambda found: found["cells"][1]["comparisons"][0].update(verdict=None),
     r"results.cells\[1\].comparisons\[0\].verdict is None"),
])
def test_schema_refuses(mixed, spoil, complaint):
    found = json.loads(json.dumps(mixed))
    results.check(found)
    spoil(found)
    with pytest.raises(ValueError, match=complaint):
        results.check(found)


def test_markdown(mixed):
    rows = [line for line in table.markdown(mixed).splitlines() if line.startswith("|")]
    assert rows[0].startswith("| load | against |")
    assert any(row.endswith("| **LOSES** |") for row in rows)
    assert mixed["closing"] in table.markdown(mixed)


class Reader(html.parser.HTMLParser):
    """Knows which elements are open, and what they refer to."""

    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.links = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.links += [value for name, value in attributes
                       if name in ("src", "href", "xlink:href") and not value.startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_report_is_one_file(mixed, tmp_path):
    """Well-formed, needing nothing else, with the closing paragraph and the lost cell in it."""
    with open(report.save(mixed, tmp_path), encoding="utf-8") as file:
        text = file.read()
    reader = read(text)
    assert reader.links == []
    assert text.count('<tr class="marked">') == 1
    assert "What loopback cannot show" in text
    assert closing.QUESTION in text


@pytest.mark.skipif(not plots.is_possible(), reason="gnuplot is not installed")
def test_report_has_all_plots():
    costs = {"rollcall": 5000, "epoll-bare": 6000}
    memory = [{"server": name, "clients": clients, "user_bytes": 100.0, "kernel_bytes": None}
              for name in costs for clients in (1, 1000)]
    found = made_up.complete(
        *(made_up.measured(cells.tcp(*load), costs) for load in
          ((1, 64, 1), (50, 64, 1), (50, 1024, 1), (50, 16384, 1))),
        made_up.measured(cells.latency(50, 64), costs), *rates(), memory=memory)
    titles = [title for title, _ in plots.all_of(found)]
    assert [title.split(" (")[0] for title in titles] == [
        "Cost by rate", "Latency by rate", "rollcall against epoll-bare", "Cost by clients",
        "Cost by bytes", "Latency percentiles",
        "User memory for each idle client", "System calls"]
    assert read(report.render(found)).seen.count("svg") == len(titles)


def test_report_without_gnuplot(mixed, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    text = report.render(mixed)
    assert "gnuplot is not installed" in text and "<svg" not in text
