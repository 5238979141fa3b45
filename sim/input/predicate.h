/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The three small languages inside texts: recovery predicates, availability predicates, keys of
 * thresholds.
 * Blanks between the parts do not count. */
#ifndef SQUALL_INPUT_PREDICATE_H
#define SQUALL_INPUT_PREDICATE_H

#include "sim/base/arena.h"
#include "sim/spec.h"

/* "goodput >= 0.9 * baseline", "goodput >= 90% * baseline", "goodput >= baseline". */
bool predicate_recovery(const char *text, int64_t *ratio_millionths, struct err *err);
/* The same with "offered" in the place of "baseline". */
bool predicate_goodput(const char *text, int64_t *ratio_millionths, struct err *err);
/* "success_rate >= 99% and p(99) <= 500ms", or one of the two: success_min and p99_max_ns; what is
 * not asked is 0 and INT64_MAX. */
bool predicate_up(const char *text, struct spec_availability *availability, struct err *err);
/* Reads the key of a threshold: a metric, or "gauge{name:x,node:n1,from:30s,until:40s}" or
 * "counter{...}" with the same tags, of which `name` is needed, or "mcr{window:1m}", or
 * "unavailability{service:x,machines:3,cell:crews=1,method:is,against:exact}" or "downtime{...}"
 * with the same but the last, of which `service` is needed. Sets metric, gauge, window_ns and
 * estimate; texts are `text` itself or in `arena`. */
bool predicate_metric(struct arena *arena, const char *text, struct spec_threshold *threshold,
                      struct err *err);

#endif
