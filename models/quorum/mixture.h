/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Mixture: a law of delays made of laws, each with its share, read from a text such as
 *
 *     91.22% pareto 0.235ms 10 + 8.78% exponential 602.41us
 *
 * Laws: `constant D`, `uniform D D` (least, largest), `exponential D` (mean), `pareto D S`
 * (minimum; shape, up to three decimals). Durations are decimal numbers with ns, us, ms or s and
 * are rounded to a nanosecond. Shares have up to six decimals, and together they are 100%; a single
 * law needs none. */
#ifndef SQUALL_MODELS_QUORUM_MIXTURE_H
#define SQUALL_MODELS_QUORUM_MIXTURE_H

#include "squall.h"

enum { MIXTURE_PARTS_MAX = 8 };

enum mixture_kind { /* in the order of the names in mixture.c */
                    MIXTURE_CONSTANT,
                    MIXTURE_UNIFORM,
                    MIXTURE_EXPONENTIAL,
                    MIXTURE_PARETO,
};

struct mixture_part {
    enum mixture_kind kind;
    int64_t until; /* sum of the shares up to this one, in 10^-8 */
    sq_time a;     /* the only or the first duration, ns */
    sq_time b;     /* UNIFORM: the largest */
    int64_t shape; /* PARETO: thousandths, at least 1 */
};

struct mixture {
    struct mixture_part parts[MIXTURE_PARTS_MAX];
    uint32_t part_count; /* 0: always 0 */
};

/* An empty text is the law that is always 0. False: not understood; *mixture is then undefined. */
bool mixture_parse(struct mixture *mixture, const char *text);
/* One delay >= 0, ns, from the node's stream: one draw for the part when there are several, one for
 * its value unless it is constant. Errors of a value are below 10^-9 of it. At most 2^60. */
sq_time mixture_sample(struct sq_env *env, const struct mixture *mixture);

#endif
