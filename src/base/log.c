/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PERIOD_NS (LOG_PERIOD_S * UINT64_C(1000000000))

/* Ends the period: writes a line with the number of lines left out for each kind that has any. */
static void tell_left_out(struct log *log)
{
	char line[LOG_LINE_BYTES];

	timers_clear(log->timers, &log->period);
	for (unsigned i = 0; i < LOG_KINDS_MAX; i++) {
		struct log_kind *kind = &log->kinds[i];

		if (kind->count > LOG_BURST) {
			snprintf(line, sizeof(line), "%llu more like this within %d s: %.200s",
				 (unsigned long long)(kind->count - LOG_BURST), LOG_PERIOD_S,
				 kind->last);
			log->write(kind->level, line, log->context);
		}
		kind->count = 0;
	}
}

static void on_period(struct timer *timer)
{
	tell_left_out(container_of(timer, struct log, period));
}

int log_limit(struct log *log, struct timers *timers, const uint64_t *now_ns)
{
	int error = timers_reserve(timers);

	if (error)
		return error;
	log->timers = timers;
	log->now_ns = now_ns;
	log->period.expired = on_period;
	return 0;
}

void log_unlimit(struct log *log)
{
	if (!log->timers)
		return;
	tell_left_out(log);
	timers_unreserve(log->timers);
	log->timers = NULL;
}

static struct log_kind *kind_of(struct log *log, const char *format)
{
	struct log_kind *kind = log->kinds;

	while (kind->format && kind->format != format && kind < &log->kinds[LOG_KINDS_MAX - 1])
		kind++;
	kind->format = format;
	return kind;
}

/* Whether to write the line now; otherwise it is counted. */
static bool passes(struct log *log, enum rollcall_log_level level, const char *format,
		   const char *line)
{
	struct log_kind *kind;

	if (!log->timers || level > ROLLCALL_LOG_WARNING)
		return true;
	if (*log->now_ns >= log->period_end_ns) {
		tell_left_out(log);
		log->period_end_ns = *log->now_ns + PERIOD_NS;
	}
	kind = kind_of(log, format);
	if (++kind->count <= LOG_BURST)
		return true;
	kind->level = level;
	strcpy(kind->last, line);
	if (log->period.position == 0)
		timers_set(log->timers, &log->period, log->period_end_ns);
	return false;
}

void log_write(struct log *log, enum rollcall_log_level level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	va_list arguments;

	if (!log->write || level > log->level)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (passes(log, level, format, line))
		log->write(level, line, log->context);
}
