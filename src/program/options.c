/* SPDX-License-Identifier: MIT */
#include "program/options.h"

void options_defaults(struct program_options *options)
{
	*options = (struct program_options){
		.action = OPTIONS_SERVE,
		.service = OPTIONS_REPLY,
		.framing = OPTIONS_FRAMING_OF_SERVICE,
	};
	rollcall_options_defaults(&options->library);
}
