/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The detector's view is a list of the instants at which it changed its mind; the clients' is that
 * of the availability windows. The table is one walk along both.
 *
 * Not here: detectors that suspect more or less (phi accrual); whoever has one shows it as a gauge
 * and says from which value on it means "down". */
#include "analysis/gray.h"

#include "sim/base/base.h"

#include <string.h>

#define CHANGES_MAX (UINT32_C(1) << 24)

void gray_init(struct gray *gray)
{
    ASSERT(gray != NULL);
    *gray = (struct gray){0};
    vec_init(&gray->changes, sizeof(int64_t), CHANGES_MAX);
}

void gray_release(struct gray *gray)
{
    ASSERT(gray != NULL);
    vec_release(&gray->changes);
}

void gray_begin(struct gray *gray, const struct spec_detector *detector)
{
    ASSERT(detector != NULL);
    gray->detector = detector;
    gray->streak = 0;
    vec_clear(&gray->changes);
}

static void say(struct gray *gray, bool is_up, int64_t now)
{
    const bool was_up = gray->changes.count % 2 == 0;
    if (is_up != was_up && gray->changes.count < CHANGES_MAX) {
        vec_append(&gray->changes, &now);
    }
}

void gray_on_complete(struct gray *gray, const struct sq_operation *operation)
{
    const struct spec_detector *detector = gray->detector;
    if (!detector->is_asked || detector->load != operation->load) {
        return;
    }
    const bool is_good = operation->outcome == SQ_OUTCOME_OK;
    gray->streak = is_good ? 0 : gray->streak + 1;
    if (is_good || gray->streak >= detector->failures) {
        say(gray, is_good, operation->completed);
    }
}

void gray_on_seen(struct gray *gray, const struct sq_seen *seen)
{
    const struct spec_detector *detector = gray->detector;
    if (detector->is_asked && detector->gauge != NULL && seen->what == SQ_SEE_GAUGE &&
        seen->text != NULL && strcmp(seen->text, detector->gauge) == 0) {
        say(gray, seen->a >= detector->gauge_min, seen->time);
    }
}

struct gray_table gray_table(const struct gray *gray, const struct metrics *metrics)
{
    struct gray_table table = {0};
    const int64_t *changes = gray->changes.items;
    uint32_t at = 0;
    struct metrics_stretch window;
    for (uint32_t i = 0; gray->detector->is_asked && metrics_stretch(metrics, i, &window); i++) {
        for (int64_t from = window.from_ns; window.is_evidence && from < window.until_ns;) {
            while (at < gray->changes.count && changes[at] <= from) {
                at++;
            }
            const bool is_cut = at < gray->changes.count && changes[at] < window.until_ns;
            const int64_t until = is_cut ? changes[at] : window.until_ns;
            const bool is_up = at % 2 == 0;
            int64_t *cell = is_up          ? window.is_up ? &table.up_up : &table.up_down
                            : window.is_up ? &table.down_up
                                           : &table.down_down;
            *cell += until - from;
            from = until;
        }
    }
    return table;
}
