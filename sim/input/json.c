/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON as text. Whether a scalar is a number is decided by the grammar of JSON, so "0x2a", "01" and
 * "5s" are strings. */
#include "sim/input/json.h"

#include "sim/base/base.h"

#include <string.h>

void json_add_string(struct text *out, const char *string)
{
    ASSERT(string != NULL);
    text_add(out, "\"");
    for (const char *at = string; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            text_printf(out, "\\%c", byte);
        } else if (byte == '\n') {
            text_add(out, "\\n");
        } else if (byte < 0x20) {
            text_printf(out, "\\u%04x", byte);
        } else {
            text_add_bytes(out, at, 1);
        }
    }
    text_add(out, "\"");
}

static bool is_number(const char *string)
{
    static const char digits[] = "0123456789";
    const char *at = string + (string[0] == '-' ? 1 : 0);
    size_t whole = strspn(at, digits);
    if (whole == 0 || whole > 15 || (whole > 1 && at[0] == '0')) {
        return false;
    }
    at += whole;
    if (*at == '.') {
        size_t decimals = strspn(at + 1, digits);
        return decimals > 0 && at[1 + decimals] == '\0';
    }
    return *at == '\0';
}

void json_add_scalar(struct text *out, const char *string)
{
    ASSERT(string != NULL);
    bool is_bare = is_number(string) || strcmp(string, "true") == 0 || strcmp(string, "false") == 0;
    if (is_bare) {
        text_add(out, string);
    } else {
        json_add_string(out, string);
    }
}
