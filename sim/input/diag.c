/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Errors of the user's input, all at once. They arrive in the order in which the input layer walks
 * over trees, which
 * is not the order of the lines, and some arrive again for every cell of a sweep. So each error is
 * kept once, and all
 * are sorted by file (in order of first reading), line and column when they are printed.
 *
 * What a terminal would obey is made harmless on the way out: control characters of the file, and
 * of error texts that
 * quote it, print as '?', tabs as one space (so that the caret stays below its column). Lines too
 * long for a screen
 * are shown as a window around the column. */
#include "sim/input/diag.h"

#include "sim/base/base.h"
#include "sim/base/vec.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define SOURCES_MAX    1024
#define WINDOW_COLUMNS 100 /* of a source line shown */
#define WINDOW_BEFORE  40  /* of these, before the error when the line is cut */

void diag_init(struct diag *diag)
{
    ASSERT(diag != NULL);
    *diag = (struct diag){0};
    arena_init(&diag->arena);
}

void diag_release(struct diag *diag)
{
    ASSERT(diag != NULL);
    arena_release(&diag->arena);
    *diag = (struct diag){0};
}

static const struct diag_source *find_source(const struct diag *diag, const char *file)
{
    for (uint32_t index = 0; index < diag->source_count; index++) {
        if (strcmp(diag->sources[index].file, file) == 0) {
            return &diag->sources[index];
        }
    }
    return NULL;
}

void diag_add_source(struct diag *diag, const char *file, const char *text, size_t size)
{
    ASSERT(file != NULL);
    ASSERT(text != NULL || size == 0);
    if (find_source(diag, file) != NULL || diag->source_count == SOURCES_MAX) {
        return;
    }
    if (diag->source_count == diag->source_capacity) {
        uint32_t capacity = diag->source_capacity == 0 ? 8 : diag->source_capacity * 2;
        struct diag_source *grown =
            arena_alloc_array(&diag->arena, capacity, sizeof(*diag->sources));
        if (diag->source_count > 0) {
            memcpy(grown, diag->sources, diag->source_count * sizeof(*grown));
        }
        diag->sources = grown;
        diag->source_capacity = capacity;
    }
    diag->sources[diag->source_count++] = (struct diag_source){
        .file = arena_strdup(&diag->arena, file),
        .text = arena_memdup(&diag->arena, text, size),
        .size = size,
    };
}

static bool is_control(char character)
{
    unsigned char byte = (unsigned char)character;
    return byte < 0x20 || byte == 0x7f;
}

static bool is_same_place(struct spec_place left, struct spec_place right)
{
    bool is_same_file = left.file == right.file || (left.file != NULL && right.file != NULL &&
                                                    strcmp(left.file, right.file) == 0);
    return is_same_file && left.line == right.line && left.column == right.column;
}

bool diag_has(const struct diag *diag, struct spec_place place)
{
    ASSERT(diag != NULL);
    for (uint32_t index = 0; index < diag->kept; index++) {
        if (is_same_place(diag->entries[index].place, place)) {
            return true;
        }
    }
    return false;
}

bool diag_error(struct diag *diag, struct spec_place place, uint32_t width, const char *format, ...)
{
    ASSERT(diag != NULL);
    ASSERT(format != NULL);
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    for (char *at = text; *at != '\0'; at++) {
        *at = is_control(*at) ? '?' : *at;
    }
    for (uint32_t index = 0; index < diag->kept; index++) {
        const struct diag_entry *entry = &diag->entries[index];
        if (is_same_place(entry->place, place) && strcmp(entry->text, text) == 0) {
            return false;
        }
    }
    diag->count++;
    if (diag->kept < DIAG_MAX) {
        if (place.file != NULL) {
            place.file = arena_strdup(&diag->arena, place.file);
        }
        diag->entries[diag->kept++] = (struct diag_entry){
            .place = place,
            .width = width == 0 ? 1 : width,
            .text = arena_strdup(&diag->arena, text),
        };
    }
    return false;
}

/* The text of a line, without its end; *size is 0 when there is no such line. */
static const char *find_line(const struct diag_source *source, uint32_t line, size_t *size)
{
    const char *at = source->text;
    const char *end = source->text + source->size;
    for (uint32_t number = 1; number < line && at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == NULL ? end : newline + 1;
    }
    const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    const char *stop = newline == NULL ? end : newline;
    if (stop > at && stop[-1] == '\r') {
        stop--;
    }
    *size = (size_t)(stop - at);
    return at;
}

/* Bytes of the character at `at`; a byte that is not UTF-8 counts as one character. */
static size_t character_size(const char *at, size_t size)
{
    unsigned char lead = (unsigned char)*at;
    size_t length = lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    for (size_t index = 1; index < length; index++) {
        if (index >= size || ((unsigned char)at[index] & 0xc0) != 0x80) {
            return 1;
        }
    }
    return length;
}

static uint32_t count_columns(const char *text, size_t size)
{
    uint32_t columns = 0;
    for (size_t at = 0; at < size; at += character_size(text + at, size - at)) {
        columns++;
    }
    return columns;
}

/* What a terminal would obey, or cannot show, becomes '?'; a tab takes one column. */
static void print_character(const char *at, size_t length, FILE *out)
{
    unsigned char lead = (unsigned char)*at;
    bool is_c1 = lead == 0xc2 && length == 2 && (unsigned char)at[1] < 0xa0;
    if (length == 1 && (is_control(*at) || lead >= 0x80)) {
        fputc(*at == '\t' ? ' ' : '?', out);
    } else if (is_c1) {
        fputc('?', out);
    } else {
        fwrite(at, 1, length, out);
    }
}

/* The line with line number and, below it, the caret. */
static void print_line(const struct diag_entry *entry, const char *line, size_t size, FILE *out)
{
    uint32_t columns = count_columns(line, size);
    uint32_t column = entry->place.column - 1; /* from 0 */
    column = column > columns ? columns : column;
    bool is_cut = columns > WINDOW_COLUMNS && column > WINDOW_BEFORE;
    uint32_t first = is_cut ? column - WINDOW_BEFORE : 0;
    fprintf(out, "%5" PRIu32 " | %s", entry->place.line, first > 0 ? "..." : "");
    size_t length = 0;
    uint32_t index = 0;
    for (size_t at = 0; at < size; at += length, index++) {
        length = character_size(line + at, size - at);
        if (index >= first && index < first + WINDOW_COLUMNS) {
            print_character(line + at, length, out);
        }
    }
    fprintf(out, "%s\n      | ", columns > first + WINDOW_COLUMNS ? "..." : "");
    uint32_t indent = column - first + (first > 0 ? 3 : 0);
    uint32_t rest = columns > column ? columns - column : 1;
    uint32_t width = entry->width < rest ? entry->width : rest;
    uint32_t room = first + WINDOW_COLUMNS - column;
    width = width < room ? width : room;
    for (uint32_t at = 0; at < indent; at++) {
        fputc(' ', out);
    }
    fputc('^', out);
    for (uint32_t at = 1; at < width; at++) {
        fputc('~', out);
    }
    fputc('\n', out);
}

static void print_entry(const struct diag *diag, const struct diag_entry *entry, FILE *out)
{
    if (entry->place.file == NULL) {
        fprintf(out, "error: %s\n", entry->text);
        return;
    }
    for (const char *at = entry->place.file; *at != '\0'; at++) {
        fputc(is_control(*at) ? '?' : *at, out);
    }
    if (entry->place.line == 0) {
        fprintf(out, ": error: %s\n", entry->text);
        return;
    }
    fprintf(out, ":%" PRIu32 ":%" PRIu32 ": error: %s\n", entry->place.line, entry->place.column,
            entry->text);
    const struct diag_source *source = find_source(diag, entry->place.file);
    if (source != NULL) {
        size_t size = 0;
        const char *line = find_line(source, entry->place.line, &size);
        print_line(entry, line, size, out);
    }
}

/* An entry and where its file stands among the sources. */
struct ranked {
    const struct diag_entry *entry;
    uint32_t file;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    const uint32_t ours[] = {a->file, a->entry->place.line, a->entry->place.column};
    const uint32_t theirs[] = {b->file, b->entry->place.line, b->entry->place.column};
    for (uint32_t index = 0; index < ARRAY_COUNT(ours); index++) {
        if (ours[index] != theirs[index]) {
            return ours[index] < theirs[index] ? -1 : 1;
        }
    }
    return 0;
}

void diag_print(const struct diag *diag, FILE *out)
{
    ASSERT(diag != NULL);
    ASSERT(diag->kept <= diag->count);
    if (diag->count == 0) {
        return;
    }
    struct ranked ranked[DIAG_MAX];
    for (uint32_t index = 0; index < diag->kept; index++) {
        const struct diag_entry *entry = &diag->entries[index];
        const struct diag_source *source =
            entry->place.file == NULL ? NULL : find_source(diag, entry->place.file);
        ranked[index].entry = entry;
        ranked[index].file = source == NULL ? 0 : (uint32_t)(source - diag->sources) + 1;
    }
    sort_stable(ranked, diag->kept, sizeof(ranked[0]), compare_ranked);
    for (uint32_t index = 0; index < diag->kept; index++) {
        print_entry(diag, ranked[index].entry, out);
    }
    if (diag->count > diag->kept) {
        fprintf(out, "%" PRIu32 " errors, the first %" PRIu32 " shown\n", diag->count, diag->kept);
    } else {
        fprintf(out, "%" PRIu32 " error%s\n", diag->count, diag->count == 1 ? "" : "s");
    }
}
