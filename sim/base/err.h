/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Errors of the user's input or of the real machine, as text for a person.
 *
 * `bool f(..., struct err *err)`: false means that `err` holds a code and a text. Grammar: lower
 * case, no full stop, what failed first, the subject in single quotes. Callers add context in front
 * with err_wrap and return false. */
#ifndef SQUALL_BASE_ERR_H
#define SQUALL_BASE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_NONE,
    ERR_INPUT,  /* the scenario or the command line is wrong: exit 2 */
    ERR_SYSTEM, /* the real machine failed (disk full, file unreadable, ...): exit 5 */
};

struct err {
    enum err_code code;
    char text[1024];
};

/* Both return false so that `return err_set(...)` reads well. `err` may be NULL: then nothing is
 * stored. */
bool err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "<context>: " in front of the text. */
bool err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
