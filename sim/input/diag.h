/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Diagnostics: collects the errors of a scenario and prints them as compilers do,
 *
 *     bad.yaml:4:3: error: unknown key 'latancy' in 'network.default'; did you mean 'latency'?
 *         4 |   latancy: 5ms
 *           |   ^~~~~~~
 *
 * in the order of the file, each once, at most DIAG_MAX of them, then "N errors". Texts obey the
 * grammar of
 * sim/base/err.h; control characters in them print as '?'. */
#ifndef SQUALL_INPUT_DIAG_H
#define SQUALL_INPUT_DIAG_H

#include "sim/base/arena.h"
#include "sim/spec.h"

#include <stdbool.h>
#include <stdio.h>

#define DIAG_MAX 20

struct diag_entry {
    struct spec_place place; /* columns count code points, from 1 */
    uint32_t width;          /* code points to underline, >= 1 */
    const char *text;
};

/* Text of a file that places refer to, for the line under an error. */
struct diag_source {
    const char *file;
    const char *text;
    size_t size;
};

struct diag {
    struct arena arena;
    struct diag_entry entries[DIAG_MAX];
    uint32_t kept;  /* entries used */
    uint32_t count; /* errors seen; more than `kept` when there were too many */
    struct diag_source *sources;
    uint32_t source_count;
    uint32_t source_capacity;
};

void diag_init(struct diag *diag);
void diag_release(struct diag *diag);
/* Copies `text`, so that lines can be shown later. The same file again is ignored. */
void diag_add_source(struct diag *diag, const char *file, const char *text, size_t size);
/* Adds an error; place.line 0: about the file as a whole; place.file NULL: about nothing in
 * particular. Returns false, so that `return diag_error(...)` reads well. An error with the same
 * place and text is counted once. */
bool diag_error(struct diag *diag, struct spec_place place, uint32_t width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Has an error at this very place been kept? */
bool diag_has(const struct diag *diag, struct spec_place place);
/* Prints nothing when there is no error. */
void diag_print(const struct diag *diag, FILE *out);

#endif
