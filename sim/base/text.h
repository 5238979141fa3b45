/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Growable string builder, and small helpers for texts. */
#ifndef SQUALL_BASE_TEXT_H
#define SQUALL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data;    /* NUL-terminated once something was added; text_of is never NULL */
    size_t length; /* without the NUL */
    size_t capacity;
};

void text_init(struct text *text);
void text_release(struct text *text);
void text_clear(struct text *text);
const char *text_of(const struct text *text);
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *data, size_t size);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Edit distance with transposition (optimal string alignment), at most `limit` + 1. For
 * did-you-mean. */
uint32_t text_distance(const char *left, const char *right, uint32_t limit);
/* The nearest of `count` candidates within a third of its length, or NULL. */
const char *text_nearest(const char *word, const char *const *candidates, uint32_t count);
/* Shell-style glob with * and ?; * matches '/' too. */
bool text_glob(const char *pattern, const char *string);

#endif
