/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * String builder, edit distance and glob. The distance is the optimal string alignment distance
 * (Damerau 1964 with no substring edited twice), three rows of the usual table. The glob is the
 * two-pointer matcher with one place to go back to: the last star swallows one more character;
 * earlier stars never need to change, so it is linear in practice and never recursive. Bytes are
 * compared as they are: no locale, no case folding, '?' is one byte. */
#include "sim/base/text.h"

#include "sim/base/base.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64

void text_init(struct text *text)
{
    ASSERT(text != NULL);
    *text = (struct text){0};
}

void text_release(struct text *text)
{
    ASSERT(text != NULL);
    free(text->data);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    ASSERT(text != NULL);
    text->length = 0;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

const char *text_of(const struct text *text)
{
    ASSERT(text != NULL);
    return text->data != NULL ? text->data : "";
}

/* Makes room for `extra` bytes and the NUL behind the text. */
static void reserve(struct text *text, size_t extra)
{
    ASSERT(extra < SIZE_MAX / 4);
    ASSERT(text->length < SIZE_MAX / 4);
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity) {
        return;
    }
    size_t capacity = text->capacity < CAPACITY_MIN ? CAPACITY_MIN : text->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        fprintf(stderr, "squall: out of memory (text of %zu bytes)\n", capacity);
        abort();
    }
    text->data = data;
    text->capacity = capacity;
}

void text_add(struct text *text, const char *string)
{
    ASSERT(string != NULL);
    text_add_bytes(text, string, strlen(string));
}

void text_add_bytes(struct text *text, const void *data, size_t size)
{
    ASSERT(text != NULL);
    ASSERT(data != NULL || size == 0);
    reserve(text, size);
    if (size > 0) {
        memcpy(text->data + text->length, data, size);
    }
    text->length += size;
    text->data[text->length] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
    ASSERT(text != NULL);
    ASSERT(format != NULL);
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    size_t room = text->capacity - text->length;
    int length = vsnprintf(room > 0 ? text->data + text->length : NULL, room, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    if ((size_t)length >= room) {
        reserve(text, (size_t)length);
        int written = vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        ASSERT(written == length);
    }
    va_end(again);
    text->length += (size_t)length;
}

static uint32_t smaller(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

/* One row of the table of distances: `rows[0]` is filled from the row before and the row before
 * that. */
static void distance_row(uint32_t *const rows[3], const char *left, size_t at, const char *right)
{
    rows[0][0] = (uint32_t)at;
    for (size_t to = 1; right[to - 1] != '\0'; to++) {
        uint32_t cost = left[at - 1] == right[to - 1] ? 0 : 1;
        uint32_t best = smaller(rows[1][to] + 1, rows[0][to - 1] + 1);
        best = smaller(best, rows[1][to - 1] + cost);
        bool is_swap =
            at > 1 && to > 1 && left[at - 1] == right[to - 2] && left[at - 2] == right[to - 1];
        rows[0][to] = is_swap ? smaller(best, rows[2][to - 2] + 1) : best;
    }
}

uint32_t text_distance(const char *left, const char *right, uint32_t limit)
{
    ASSERT(left != NULL);
    ASSERT(right != NULL);
    ASSERT(limit < UINT32_MAX);
    size_t left_length = strlen(left);
    size_t right_length = strlen(right);
    size_t difference =
        left_length > right_length ? left_length - right_length : right_length - left_length;
    if (difference > limit) {
        return limit + 1;
    }
    size_t width = right_length + 1;
    uint32_t *table = calloc(3 * width, sizeof(*table));
    if (table == NULL) {
        fprintf(stderr, "squall: out of memory (edit distance)\n");
        abort();
    }
    uint32_t *rows[3] = {table, table + width, table + 2 * width};
    for (size_t to = 0; to < width; to++) {
        rows[0][to] = (uint32_t)to;
    }
    for (size_t at = 1; at <= left_length; at++) {
        uint32_t *oldest = rows[2];
        rows[2] = rows[1];
        rows[1] = rows[0];
        rows[0] = oldest;
        distance_row(rows, left, at, right);
    }
    uint32_t distance = smaller(rows[0][right_length], limit + 1);
    free(table);
    return distance;
}

const char *text_nearest(const char *word, const char *const *candidates, uint32_t count)
{
    ASSERT(word != NULL);
    ASSERT(candidates != NULL || count == 0);
    uint32_t limit = (uint32_t)smaller((uint32_t)strnlen(word, 1024), 1024) / 3;
    if (limit == 0) {
        limit = 1; /* one slip is forgiven in short words too */
    }
    const char *nearest = NULL;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t distance = text_distance(word, candidates[index], limit);
        /* A candidate of which nothing is left is no suggestion. */
        if (distance <= limit && distance < strlen(candidates[index])) {
            nearest = candidates[index];
            if (distance == 0) {
                break;
            }
            limit = distance - 1;
        }
    }
    return nearest;
}

bool text_glob(const char *pattern, const char *string)
{
    ASSERT(pattern != NULL);
    ASSERT(string != NULL);
    const char *star = NULL; /* behind the last star seen */
    const char *resume = NULL;
    while (*string != '\0') {
        if (*pattern == '*') {
            pattern++;
            star = pattern;
            resume = string;
        } else if (*pattern == '?' || (*pattern == *string && *pattern != '\0')) {
            pattern++;
            string++;
        } else if (star != NULL) {
            resume++;
            pattern = star;
            string = resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}
