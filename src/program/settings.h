/* SPDX-License-Identifier: MIT */
/*
 * settings.h - translates the command line into the options and the service for the library. Any
 * thread.
 */
#ifndef PROGRAM_SETTINGS_H
#define PROGRAM_SETTINGS_H

#include "program/diagnostics.h"
#include "program/options.h"
#include "rollcall.h"

/* Fills the options of a server that logs to `diagnostics`. */
void settings_of_server(const struct program_options *options, struct diagnostics *diagnostics,
			struct rollcall_options *library);

/* Copies the chosen service, with the framing and the message size of the options. */
void settings_of_service(const struct program_options *options, struct rollcall_service *service);

#endif
