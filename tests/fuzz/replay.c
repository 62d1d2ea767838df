/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files of a directory, in TAP, without libFuzzer.
 *
 * Usage: replay-NAME DIRECTORY
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define INPUT_BYTES_MAX ((size_t)1 << 20)

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The input is in memory of just its size, so that sanitizers see each byte read beyond it. */
static void replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *read = malloc(INPUT_BYTES_MAX), *input;
	size_t bytes;

	if (!file || !read) {
		perror(path);
		exit(1);
	}
	bytes = fread(read, 1, INPUT_BYTES_MAX, file);
	fclose(file);
	input = malloc(bytes ? bytes : 1);
	if (!input)
		abort();
	memcpy(input, read, bytes);
	free(read);
	LLVMFuzzerTestOneInput(input, bytes);
	free(input);
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	char path[4096];
	int count;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	count = scandir(argv[1], &entries, is_visible, alphasort);
	if (count <= 0) {
		fprintf(stderr, "%s: no inputs\n", argv[1]);
		return 1;
	}
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
		replay(path);
		/* At once: the next one may abort. */
		printf("ok %d - %s\n", i + 1, path);
		fflush(stdout);
		free(entries[i]);
	}
	free(entries);
	return 0;
}
