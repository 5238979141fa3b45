/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts of errors. Both functions format into a buffer of their own first, so that an argument may
 * be the text of the very error that is written. A text that does not fit ends in "..." instead of
 * breaking off unseen. */
#include "sim/base/err.h"

#include "sim/base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "...";

static_assert(sizeof(((struct err *)0)->text) > 2 * sizeof(ellipsis), "room for the ellipsis");

/* Copies `length` bytes of `from` behind the first `at` bytes of `text` as far as they fit. */
static size_t put(char *text, size_t at, const char *from, size_t length)
{
    const size_t room = sizeof(((struct err *)0)->text) - 1;
    ASSERT(at <= room);
    bool fits = length <= room - at;
    size_t copied = fits ? length : room - at;
    memcpy(text + at, from, copied);
    text[at + copied] = '\0';
    if (!fits) {
        memcpy(text + room - (sizeof(ellipsis) - 1), ellipsis, sizeof(ellipsis));
    }
    return at + copied;
}

/* Length of what was formatted into `buffer`, of which the end may be
 * missing. */
static size_t formatted_length(int wanted, size_t buffer_size)
{
    ASSERT(wanted >= 0);
    return (size_t)wanted < buffer_size ? (size_t)wanted : buffer_size - 1;
}

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
    ASSERT(code != ERR_NONE);
    ASSERT(format != NULL);
    if (err == NULL) {
        return false;
    }
    char buffer[sizeof(err->text) + 1];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    err->code = code;
    put(err->text, 0, buffer, formatted_length(wanted, sizeof(buffer)));
    return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
    ASSERT(format != NULL);
    if (err == NULL) {
        return false;
    }
    ASSERT(err->code != ERR_NONE);
    char context[sizeof(err->text) + 1];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
    char before[sizeof(err->text)];
    size_t before_length = strlen(err->text);
    memcpy(before, err->text, before_length + 1);
    size_t at = put(err->text, 0, context, formatted_length(wanted, sizeof(context)));
    at = put(err->text, at, ": ", 2);
    put(err->text, at, before, before_length);
    return false;
}
