# SPDX-License-Identifier: MIT
"""The plots of the report, SVG by gnuplot. Each function returns (title, svg), or None if the run
has not enough points for it."""

import re
import shutil
import subprocess

from compare.cells import RATE_OF

GNUPLOT_LIMIT_S = 30
SIZE = (760, 400)
ROW_HEIGHT = 18
STYLE = """set encoding utf8
set border 3 lc rgb "#888888"
set tics nomirror
set grid lc rgb "#dddddd"
set key outside right top
"""


def is_possible():
    return shutil.which("gnuplot") is not None


def draw(script, size=SIZE):
    """Runs gnuplot; returns the picture, to be put into a page as it is."""
    width, height = size
    head = f"set terminal svg size {width},{height} dynamic font 'sans-serif,12'\n"
    done = subprocess.run(["gnuplot"], input=head + STYLE + script, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=GNUPLOT_LIMIT_S)
    if done.returncode != 0 or "<svg" not in done.stdout:
        raise RuntimeError(f"gnuplot: {done.stderr.strip()}")
    return done.stdout[done.stdout.index("<svg"):]


def quoted(text):
    return '"' + re.sub(r'["\\]', "", str(text)) + '"'


def lines(series, script):
    """A line with points for each name in {name: [(x, y)]}."""
    blocks, plots = [], []
    for index, (name, points) in enumerate(series.items()):
        rows = "\n".join(f"{x} {y}" for x, y in sorted(points))
        blocks.append(f"$d{index} << EOD\n{rows}\nEOD\n")
        plots.append(f"$d{index} using 1:2 with linespoints lw 2 pt 7 ps 0.6 title {quoted(name)}")
    return draw("".join(blocks) + script + "plot " + ", ".join(plots) + "\n")


def is_line(series):
    return any(len(points) > 1 for points in series.values())


def costs(results, axis, fixed):
    """{server: [(axis, CPU time)]} of the echo cells over TCP in which the rest is fixed."""
    series = {}
    for cell in results["cells"]:
        if cell["kind"] != "echo" or cell["transport"] != "tcp" or any(
                cell[name] != value for name, value in fixed.items()):
            continue
        for server, figures in cell["figures"].items():
            if figures:
                series.setdefault(server, []).append((cell[axis], figures["cpu_us"]))
    return series


def cost_by(results, axis, candidates, script):
    """With those of the candidates that give the most points."""
    found = [(costs(results, axis, fixed), fixed) for fixed in candidates]
    series, fixed = max(found, key=lambda one: sum(map(len, one[0].values())))
    if not is_line(series):
        return None
    rest = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in fixed.items())
    script += f'set logscale y\nset ylabel "CPU time of the server for a message (us)"\n'
    return f"Cost by {axis} (TCP, {rest})", lines(series, script)


def cost_by_clients(results):
    candidates = [{"bytes": number, "in_flight": 1} for number in (64, 1024, 16384)]
    return cost_by(results, "clients", candidates,
                   'set logscale x\nset xlabel "clients"\nset xtics (1, 50, 1000, 10000)\n')


def cost_by_size(results):
    candidates = [{"clients": number, "in_flight": 1} for number in (50, 1000)]
    return cost_by(results, "bytes", candidates,
                   'set logscale x 2\nset xlabel "bytes of a message"\n'
                   'set xtics ("64" 64, "1K" 1024, "16K" 16384)\n')


def ratios(results):
    """Each cell against epoll-bare, with its interval."""
    found = [(cell["name"], one["estimate"]) for cell in results["cells"]
             for one in cell["comparisons"] if one["estimate"] and cell["placement"] == "shared" and
             (one["subject"], one["baseline"]) == ("rollcall", "epoll-bare")]
    if not found:
        return None
    rows = "\n".join(f"{one['ratio']} {len(found) - i} {one['interval'][0]} {one['interval'][1]}"
                     for i, (_, one) in enumerate(found))
    tics = ", ".join(f"{quoted(name)} {len(found) - i}" for i, (name, _) in enumerate(found))
    script = (f"$d << EOD\n{rows}\nEOD\nset ytics ({tics})\nset yrange [0.3:{len(found)}.7]\n"
              'set xlabel "times cheaper (median and 95% interval)"\nset key off\n'
              'set arrow from 1,graph 0 to 1,graph 1 nohead lw 2 lc rgb "#888888"\n'
              'plot $d using 1:2:3:4 with xerrorbars pt 7 ps 0.7 lw 2 lc rgb "#0060ad"\n')
    return "rollcall against epoll-bare", draw(script, (SIZE[0], 90 + ROW_HEIGHT * len(found)))


def latency(results):
    """From p50 to p99.9, of the first cell with a fixed rate."""
    cell = next((one for one in results["cells"] if one["kind"] == "latency" and
                 any(one["figures"].values())), None)
    if cell is None:
        return None
    quantiles = ("p50", "p90", "p99", "p99.9")
    series = {name: [(i, figures[quantile + "_us"]) for i, quantile in enumerate(quantiles)]
              for name, figures in cell["figures"].items() if figures}
    tics = ", ".join(f'"{quantile}" {i}' for i, quantile in enumerate(quantiles))
    script = (f"set xtics ({tics})\nset xrange [-0.2:3.2]\nset logscale y\n"
              'set ylabel "latency (us)"\n')
    return f"Latency percentiles ({cell['title']})", lines(series, script)


def by_rate(results, figure, title, label):
    """Of the fixed rates of one load: that with the most points."""
    series = {}
    for cell in results["cells"]:
        if cell["kind"] != "rate":
            continue
        load = cell["title"].split(", a rate")[0]
        for server, figures in cell["figures"].items():
            if figures and not server.endswith(" again"):
                points = series.setdefault(load, {}).setdefault(server, [])
                points.append((cell["rate_share"] * 100, figures[figure]))
    load = max(series, key=lambda one: sum(map(len, series[one].values())), default=None)
    if load is None or not is_line(series[load]):
        return None
    script = (f'set xlabel "share of what {RATE_OF} can do (%)"\nset ylabel "{label}"\n'
              'set yrange [0:*]\nset xrange [0:100]\n')
    return f"{title} ({load})", lines(series[load], script)


def cost_by_rate(results):
    return by_rate(results, "cpu_us", "Cost by rate",
                   "CPU time of the server for a message (us)")


def latency_by_rate(results):
    return by_rate(results, "p99_us", "Latency by rate", "p99 of the latency (us)")


def memory(results):
    """With few clients what is allocated at once for many shows."""
    series = {}
    for one in results["memory"]:
        if one["user_bytes"] > 0:
            series.setdefault(one["server"], []).append((one["clients"], one["user_bytes"]))
    if not is_line(series):
        return None
    return "User memory for each idle client", lines(
        series, 'set logscale xy\nset xlabel "idle clients"\nset ylabel "bytes for each"\n')


def system_calls(results):
    """A group of bars for each echo cell over TCP."""
    found = [cell for cell in results["cells"] if cell["kind"] == "echo" and
             any(one and one["system_calls"] for one in cell["figures"].values())]
    if not found:
        return None
    servers = list(dict.fromkeys(name for cell in found for name in cell["figures"]))
    rows = ["load " + " ".join(quoted(name) for name in servers)]
    for cell in found:
        counts = [(cell["figures"].get(name) or {}).get("system_calls") for name in servers]
        rows.append(quoted(cell["name"]) + " " + " ".join(f"{count:.5f}" if count else "?"
                                                          for count in counts))
    table = "\n".join(rows)
    script = (f"$d << EOD\n{table}\nEOD\nset datafile missing '?'\nset style data histograms\n"
              "set style fill solid 0.8 noborder\nset logscale y\nset xtics rotate by -40\n"
              'set ylabel "system calls for a message"\n'
              f"plot for [i=2:{len(servers) + 1}] $d using i:xtic(1) title columnheader(i)\n")
    return "System calls", draw(script, (SIZE[0] + 200, SIZE[1] + 60))


def all_of(results):
    found = [one(results) for one in (cost_by_rate, latency_by_rate, ratios, cost_by_clients,
                                      cost_by_size, latency, memory, system_calls)]
    return [one for one in found if one]
