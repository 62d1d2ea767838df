# SPDX-License-Identifier: MIT
"""report.html: one file with everything in it."""

import html
import os

from compare import plots, table

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-size: 13px; margin: 1em 0 }
th, td { padding: .2em .6em; text-align: right; border-bottom: 1px solid #ddd }
th { border-bottom: 2px solid #888 }
td:nth-child(-n+2), th:nth-child(-n+2) { text-align: left }
tr.marked td { background: #fde8e6 }
.closing { border-left: 4px solid #0060ad; padding-left: 1em }
svg { width: 100%; height: auto }
"""

METHOD = """
<p>All servers of a cell are alive at the same time, pinned to core {server_core}; each has a load
process of its own, which checks every byte of every answer. The loads run one after another, for a
slice of time each, in random order within a round. What is compared is the CPU time of the server
for each message, all its threads and the kernel's workers for it included, and only within a round,
because the speed of a machine swings. The ratio is the median over the rounds; its interval holds
the true median with 95% confidence (bootstrap).</p>
<p>Where they share a core, the loads are pinned to core {server_core} too. Once all clients are
connected servers and loads are scheduled by {policy}, so neither preempts the other. A slice is
discarded if the core did something else for more than {wait_max:.0%} of it, beyond what it did
in the quietest of the cell. Where they have a core each, the loads are pinned to core {load_core},
and a slice is discarded if its server or load waited for its core for more than {wait_max:.0%} of
it. It is twice that with 10,000 clients, where the kernel's own threads need some of it.</p>
<p>Servers are started anew several times within a cell. Equal servers are compared too (A/A): what
they differ by is the noise of the run. Latency under a fixed rate counts from when a message was to
be sent, so a stall of the server counts for all that were due in it.</p>
<p>{namespace} TCP's congestion control is {congestion_control}. {system_calls}</p>
"""

LIMITS = """
<p>Loopback has no network card, no driver and no interrupts of one, no distance and no loss: the
kernel's TCP takes most of the time on both sides, and sender and receiver share caches. It cannot
show what zero copy, receive steering, offloads or NAPI polling would gain or lose on a real
network, how servers do on several cores, nor how a slow or lossy peer is served. Latency here is
that of scheduling and queueing.</p>
"""


READING = (
    "A load is transport/clients/bytes/messages in flight for each client. The ratio is what the "
    "other server takes over what rollcall (or the one before the colon) takes: above 1 rollcall "
    "is cheaper. What they take is the server's CPU time for a message, or the median latency "
    "where a rate is fixed and with --spin. What loses is marked.")
FIGURES = "On a shared core messages per second and latency are those of server and load in turn."


def element(name, text, **attributes):
    words = "".join(f' {key.rstrip("_")}="{value}"' for key, value in attributes.items())
    return f"<{name}{words}>{text}</{name}>"


def grid(lines, marked=()):
    """A table; `marked` are the rows that stand out."""
    head, *others = lines
    rows = [element("tr", "".join(element("th", html.escape(text)) for text in head))]
    for index, line in enumerate(others):
        attributes = {"class_": "marked"} if index in marked else {}
        rows.append(element("tr", "".join(element("td", html.escape(text)) for text in line),
                            **attributes))
    return element("table", "\n".join(rows))


def machine(results):
    """What is known of it, by name."""
    one = results["machine"]
    lines = [("what", "here"), ("processor", f"{one['processor']}, {one['cores']} cores" +
                                (", virtual" if one["virtual"] else "")),
             ("caches of a core", ", ".join(one["caches"]) or "unknown"),
             ("a system call that does nothing", f"{one['null_call_ns']:.0f} ns"),
             ("memory", f"{one['memory_bytes'] / (1 << 30):.1f} GiB"), ("system", one["system"]),
             ("kernel", one["kernel"]), ("compiler", one["compiler"]["version"]),
             ("compiled as", one["compiler"]["command"]),
             ("liburing", f"{one['liburing']['version']} ({one['liburing']['file']})"),
             ("frequency governor", str(one["governor"])), ("SMT", str(one["smt"])),
             ("time stolen by other machines", f"{one['stolen']:.2%}"),
             ("cores busy before the run", f"{one['busy']:.0%}"),
             ("load average at the start", " ".join(f"{x:.2f}" for x in one["load_average"]))]
    lines += [(f"limit {name}", f"{soft} (hard {hard})")
              for name, (soft, hard) in one["limits"].items()]
    lines += [(f"mitigation {name}", text) for name, text in one["mitigations"].items()]
    lines += [(name, str(value)) for name, value in one["settings"].items()]
    return lines


def method(results):
    one = results["method"]
    namespace = ("The run has a network namespace of its own." if one["namespace"] is None else
                 "The run has no network namespace of its own, so packet filters may take part: "
                 f"{one['namespace']}.")
    calls = {"perf": "System calls are counted by perf, in slices of their own.",
             "strace": "System calls are counted by strace, in slices of their own; it slows the "
                       "server, which then answers in larger batches.",
             None: "System calls are not counted: there is neither perf nor strace."}
    policy = {"fifo": "SCHED_FIFO with the same priority", "batch": "SCHED_BATCH"}[one["policy"]]
    return METHOD.format(**{**one, "policy": policy, "namespace": html.escape(namespace),
                            "system_calls": calls[one["system_calls"]]})


def pictures(results):
    if not plots.is_possible():
        return element("p", "There are no plots: gnuplot is not installed.")
    return "\n".join(element("h3", html.escape(title)) + svg
                     for title, svg in plots.all_of(results))


def comparisons(results):
    parts = []
    for title, text, found in table.tables(results):
        marked = [index for index, (_, is_marked) in enumerate(found) if is_marked]
        parts += [element("h3", title), element("p", html.escape(text)),
                  grid([table.HEAD, *(texts for texts, _ in found)], marked)]
    return parts


def render(results):
    remarks = "".join(element("li", html.escape(line)) for line in table.remarks(results))
    commands = [("server", "started as")] + [(name, " ".join(command))
                                             for name, command in results["commands"].items()]
    reasons = [("discarded in", "why", "slices")] + [
        (cell["title"], reason, str(count)) for cell in results["cells"]
        for reason, count in cell["discarded"].items()]
    parts = [
        element("h1", "rollcall: io_uring against epoll"),
        element("p", html.escape(f"{results['began']}, {results['seconds'] / 60:.1f} minutes; "
                                 f"bench/run {' '.join(results['arguments'])}")),
        element("p", html.escape(results["closing"]), class_="closing"),
        element("h2", "Comparisons"),
        element("p", READING), *comparisons(results),
        element("ul", remarks), element("h2", "Plots"), pictures(results),
        element("h2", "Each server"), element("p", FIGURES), grid(table.figures_rows(results))]
    if results["memory"]:
        parts += [element("h2", "Memory"), grid(table.memory_rows(results))]
    parts += [element("h2", "Method"), method(results),
              element("h2", "What loopback cannot show"), LIMITS,
              element("h2", "Discarded"), grid(reasons),
              element("h2", "Machine"), grid(machine(results)),
              element("h2", "Commands"), grid(commands)]
    head = (element("title", "rollcall: io_uring against epoll") + '<meta charset="utf-8">' +
            element("style", STYLE))
    return ("<!DOCTYPE html>\n" + element("html", element("head", head) +
                                          element("body", "\n".join(parts)), lang="en") + "\n")


def save(results, directory):
    path = os.path.join(directory, "report.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(render(results))
    return path
