/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Assertions and the few macros that everything uses.
 *
 * An assertion that fails is a defect of squall itself (or of a model that broke its contract): it
 * prints the expression, the place and whatever the innermost assertion context adds (scenario,
 * seed, virtual time, event number, replay line), then aborts. Assertions stay on in every build.
 */
#ifndef SQUALL_BASE_H
#define SQUALL_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_COUNT(array)                  ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* One condition each, no side effects. */
#define ASSERT(condition)                                                                          \
    (__builtin_expect(!!(condition), 1) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__)

/* Prints and aborts; never returns. */
_Noreturn void assert_failed(const char *expression, const char *file, int line);

/* What a failing assertion prints after the expression; `print` writes to `out`. One context a
 * thread, set by the roof (NULL removes it); returns the one before. */
struct assert_context {
    void (*print)(void *user, FILE *out);
    void *user;
};
struct assert_context *assert_context_set(struct assert_context *context);

#endif
