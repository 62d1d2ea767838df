/* SPDX-License-Identifier: MIT */
#include "base/sized.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"

int sized_check(size_t bytes, size_t bytes_min)
{
	if (bytes < bytes_min)
		return -EINVAL;
	return bytes <= SIZED_BYTES_MAX ? 0 : -E2BIG;
}

int sized_read(void *to, size_t to_bytes, const void *from, size_t from_bytes, size_t bytes_min)
{
	const unsigned char *bytes = from;
	const int error = sized_check(from_bytes, bytes_min);

	if (error)
		return error;
	for (size_t i = to_bytes; i < from_bytes; i++)
		if (bytes[i] != 0)
			return -E2BIG;
	memcpy(to, from, min_size(from_bytes, to_bytes));
	return 0;
}

int sized_write(void *to, size_t to_bytes, const void *from, size_t from_bytes, size_t bytes_min)
{
	const size_t common = min_size(from_bytes, to_bytes);
	const int error = sized_check(to_bytes, bytes_min);

	if (error)
		return error;
	memcpy(to, from, common);
	memset((unsigned char *)to + common, 0, to_bytes - common);
	return 0;
}
