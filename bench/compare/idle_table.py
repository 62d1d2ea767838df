# SPDX-License-Identifier: MIT
"""The figures of bench/idle for a terminal, each beside the one to reach."""

USER_BYTES_MAX = 128
RATIO_MAX = 1.10

# Whole pages, and what is there once for all: the list of clients to look at in a turn of the loop
# has 4 bytes for each of the 16,384 completions that a turn may have.
ONCE_BYTES = (64 + 4) << 10


def load_end(found):
    """What the kernel holds for the load's end of a connection, if that is known."""
    return found["alike"]["kernel_bytes"] / 2 if "alike" in found else None


def judged(is_reached):
    return "reached" if is_reached else "MISSED"


def memory_rows(found):
    memory, clients = found["memory"], found["clients"]
    is_reached = memory["user_bytes"] * clients - ONCE_BYTES <= USER_BYTES_MAX * clients
    yield ("user memory of the server, a client", f"{memory['user_bytes']:.1f} bytes",
           f"at most {USER_BYTES_MAX}, and {ONCE_BYTES >> 10} KiB for all: {judged(is_reached)}")
    yield ("  after the messages",
           f"{found['memory_after_messages']['user_bytes']:.1f} bytes", "")
    if memory["kernel_bytes"] is None:
        return
    yield "kernel memory, both ends", f"{memory['kernel_bytes']:.0f} bytes", ""
    if load_end(found) is not None:
        yield ("  the server's end alone",
               f"{memory['kernel_bytes'] - load_end(found):.0f} bytes",
               f"of epoll-bare {load_end(found):.0f}, and so the load's")


def message_rows(found):
    for name, title in (("messages", "messages on random ones"),
                        ("messages_again", "  after the busy ones")):
        one = found[name]
        yield (title, f"{one['messages']:,} answered",
               f"p50 {one['latency_us']['p50']:.0f} us, p99.9 {one['latency_us']['p99.9']:.0f} us")


def busy_row(one, title, end):
    """The cost of a message at the server that has the idle clients, over that at the other."""
    if not one["ratio"]:
        return title, "no result", "too many rounds were discarded"
    low, high = one["ratio"]["interval"]
    cost, other = (one["figures"][server]["cpu_us"] for server in ("with", "without"))
    return (title, f"{one['ratio']['ratio']:.3f}",
            f"{low:.3f}-{high:.3f}, {cost:.2f} against {other:.2f} us of the server's CPU{end}")


def busy_rows(found):
    after = found["busy_after"]["ratio"]
    end = after and f"; at most {RATIO_MAX:.2f}: {judged(after['ratio'] <= RATIO_MAX)}"
    yield busy_row(found["busy_before"], "50 busy clients, before idle ones came", "; the control")
    yield busy_row(found["busy_after"], "50 busy clients, beside the idle ones", end)


def terminal(found):
    where = "in an emulated machine" if found["emulated"] else "on this machine"
    rows = [("idle clients at once", f"{found['clients']:,}",
             f"{where}; the limit of open files is {found['files_limit']:,}"),
            ("opened in", f"{found['open_seconds']:.1f} s", ""),
            *memory_rows(found), *message_rows(found), *busy_rows(found)]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    return "\n".join(f"{title:<{widths[0]}}  {value:>{widths[1]}}  {rest}".rstrip()
                     for title, value, rest in rows)
