/* SPDX-License-Identifier: MIT */
#include "program/options.h"

static const char help[] =
	"Usage: rollcall [OPTIONS]\n"
	"A TCP and UDP server for many clients at once, on one io_uring.\n"
	"\n"
	"  --tcp ADDRESS          listen for TCP (default localhost:8080); may repeat, or none\n"
	"  --udp ADDRESS          listen for UDP (default localhost:7070); may repeat, or none\n"
	"                         ADDRESS is HOST:PORT, [IPv6]:PORT or *:PORT; port 0: a free one\n"
	"  --service NAME         reply (default), echo or discard\n"
	"  --framing NAME         raw, lines or length, instead of the service's own framing\n"
	"                         (reply: lines; echo and discard: raw)\n"
	"  --line-bytes-max N     longest TCP message in bytes (default 64K)\n"
	"  --max-clients N        TCP clients at once (default 65536)\n"
	"  --udp-max-clients N    UDP clients at once (default 65536)\n"
	"  --send-queue-bytes N   soft limit of a TCP client's output queue in bytes (default 1M)\n"
	"  --idle-timeout SECONDS       end TCP clients idle for so long (default 0: never)\n"
	"  --udp-idle-timeout SECONDS   forget UDP clients idle for so long (default 120)\n"
	"  --keepalive SECONDS          probe clients silent for so long (default 60; 0: never)\n"
	"  --drain-timeout SECONDS      wait so long for clients when stopping (default 5)\n"
	"  --udp-sequence MODE    off (default), rtp: datagrams carry the numbers of RTP, or "
	"auto:\n"
	"                         those do whose first byte says so. Tells in the end what was "
	"lost\n"
	"  --udp-max-clients-per-source N   UDP clients of one address, or /64 (default 32768)\n"
	"  --udp-rate N           datagrams a second from one address, or /64 (default 0: any)\n"
	"  --udp-receive-buffer N, --udp-send-buffer N\n"
	"                         what the kernel holds for UDP in bytes (default 0: as it likes)\n"
	"  --udp-low-ports        answer UDP clients with a source port below 1024\n"
	"  -q, --quiet            no console lines on standard output\n"
	"  --log-level LEVEL      error, warning, info (default) or debug\n"
	"  --check                show the kernel's features, limits and what is used, and exit\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version and exit\n"
	"\n"
	"Sizes in bytes take K, M or G (1024-based); SECONDS take decimals, except --keepalive.\n"
	"SIGTERM or SIGINT: answer what has arrived, then exit; a second one: exit at once.\n"
	"\n"
	"Try it:  nc localhost 8080   or   nc -u localhost 7070   in another terminal.\n";

const char *options_help(void)
{
	return help;
}
