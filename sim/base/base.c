/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What happens when an assertion fails: one line with the place and the expression, then what the
 * context of this thread adds, then abort. The context is taken away before it is asked, so that a
 * context whose own assertion fails cannot go in circles. The context is the one variable of the
 * base layer that outlives a call; it never decides anything in a run, it only says where the run
 * was. */
#include "sim/base/base.h"

#include <stdlib.h>

static _Thread_local struct assert_context *current_context;

void assert_failed(const char *expression, const char *file, int line)
{
    struct assert_context *context = current_context;
    current_context = NULL;
    fflush(stdout);
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    if (context != NULL && context->print != NULL) {
        context->print(context->user, stderr);
    }
    fflush(stderr);
    abort();
}

struct assert_context *assert_context_set(struct assert_context *context)
{
    struct assert_context *before = current_context;
    current_context = context;
    return before;
}
