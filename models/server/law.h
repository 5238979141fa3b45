/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Laws of service times, drawn with integers from the node's own stream. */
#ifndef SQUALL_MODELS_SERVER_LAW_H
#define SQUALL_MODELS_SERVER_LAW_H

#include "squall.h"

enum law_kind { /* in the order of the choices of the option serviceLaw */
                LAW_DETERMINISTIC,
                LAW_EXPONENTIAL,
                LAW_UNIFORM,
                LAW_LOGNORMAL,
};

struct law {
    enum law_kind kind;
    sq_time mean;    /* ns, 0 .. 2^53 */
    uint64_t spread; /* out of 2^32. UNIFORM: half the width of the interval, in means; LOGNORMAL:
                        standard deviation of the logarithm. At most one. */
};

/* One service time >= 0, of mean law->mean. DETERMINISTIC draws nothing. */
sq_time law_sample(struct sq_env *env, const struct law *law);

/* What laws are made of. -ln(word / 2^64), 40 fraction bits; word 0 counts as 1. */
int64_t law_minus_ln_q40(uint64_t word);
/* value * exp(exponent), exponent with 40 fraction bits; at most 2^60. */
int64_t law_scale_exp(int64_t value, int64_t exponent_q40);

#endif
