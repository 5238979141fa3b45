/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Operations come in order of invocation. An open load invokes them when they are intended, so they
 * are nearly sorted, but several loads and closed ones make no promise: they are sorted by
 * (intention, number), which is a total order. */
#include "analysis/client_view.h"

#include "sim/base/base.h"

#include <stdlib.h>

void client_view_init(struct client_view *view)
{
    vec_init(&view->moments, sizeof(struct client_moment), UINT32_MAX);
}

void client_view_release(struct client_view *view)
{
    vec_release(&view->moments);
}

static int compare(const void *left, const void *right)
{
    const struct client_moment *a = left;
    const struct client_moment *b = right;
    if (a->intended_ns != b->intended_ns) {
        return a->intended_ns < b->intended_ns ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

void client_view_read(struct client_view *view, const struct sq_operation *operations,
                      uint64_t count, uint32_t load_count)
{
    vec_clear(&view->moments);
    for (uint64_t i = 0; i < count; i++) {
        if (operations[i].load < load_count) {
            struct client_moment *moment = vec_push(&view->moments);
            *moment = (struct client_moment){operations[i].intended, operations[i].id,
                                             operations[i].outcome == SQ_OUTCOME_OK};
        }
    }
    if (view->moments.count > 1) {
        qsort(view->moments.items, view->moments.count, sizeof(struct client_moment), compare);
    }
}

/* Index of the first operation that is intended at or after time_ns. */
static uint32_t find(const struct client_view *view, int64_t time_ns)
{
    uint32_t low = 0;
    uint32_t high = view->moments.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct client_moment *moment = vec_at(&view->moments, middle);
        if (moment->intended_ns < time_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct client_span client_view_span(const struct client_view *view, int64_t from_ns,
                                    int64_t until_ns)
{
    struct client_span span = {.last_down_ns = -1};
    ASSERT(from_ns <= until_ns);
    const uint32_t first = find(view, from_ns);
    bool was_down = false;
    for (uint32_t i = first > 0 ? first - 1 : 0; i < view->moments.count; i++) {
        const struct client_moment *moment = vec_at(&view->moments, i);
        const struct client_moment *next =
            i + 1 < view->moments.count ? vec_at(&view->moments, i + 1) : NULL;
        if (moment->intended_ns >= until_ns) {
            break;
        }
        const int64_t begin_ns = moment->intended_ns > from_ns ? moment->intended_ns : from_ns;
        const int64_t end_ns =
            next != NULL && next->intended_ns < until_ns ? next->intended_ns : until_ns;
        span.asked += moment->intended_ns >= from_ns ? 1 : 0;
        span.ok += moment->intended_ns >= from_ns && moment->is_ok ? 1 : 0;
        if (!moment->is_ok && end_ns > begin_ns) {
            span.down_ns += end_ns - begin_ns;
            span.last_down_ns = end_ns;
            span.outages += was_down ? 0 : 1;
        }
        was_down = end_ns > begin_ns ? !moment->is_ok : was_down;
    }
    return span;
}
