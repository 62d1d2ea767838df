/* SPDX-License-Identifier: MIT */
#include "tcp/shortage.h"

void shortage_check(struct tcp *tcp)
{
	const bool is_short = hub_is_short(tcp->hub);

	if (is_short && !tcp->was_short)
		unfinished_hurry(&tcp->unfinished);
	tcp->was_short = is_short;
}
