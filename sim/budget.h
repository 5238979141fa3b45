/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Budget: what limits the retries of one caller as a whole, however many calls it makes: a bucket
 * of tokens, gRPC's count of failures against successes, or a share of what is under way. A hedge
 * counts as a retry.
 *
 * A retry is active from the decision to make it until its attempt has ended or its call has: the
 * caller counts them. */
#ifndef SQUALL_SIM_BUDGET_H
#define SQUALL_SIM_BUDGET_H

#include "sim/spec.h"

struct budget {
    enum spec_budget kind;
    uint64_t tokens_milli;
    uint32_t retries; /* active ones; kept by the owner of the calls */
};

/* Full. */
void budget_init(struct budget *budget, const struct spec_client *policy);
/* The policy has changed: another kind of budget starts full, of the same kind it keeps what fits.
 */
void budget_adopt(struct budget *budget, const struct spec_client *policy);
/* An attempt failed with a status that is retried. */
void budget_failed(struct budget *budget, const struct spec_client *policy);
/* May one more retry (or hedge) begin, after `status`, while `active` attempts are under way? Takes
 * its tokens; *cost_milli is what it took. The limit on retries in parallel (limits.retries) is
 * asked here too. */
bool budget_take(struct budget *budget, const struct spec_client *policy, enum sq_status status,
                 uint32_t active, uint64_t *cost_milli);
/* A call succeeded; its last retry took cost_milli, 0 when it made none. */
void budget_succeeded(struct budget *budget, const struct spec_client *policy, uint64_t cost_milli);

#endif
