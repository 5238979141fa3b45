/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tokens (AWS SDKs; botocore, retries/quota.py and standard.py): the bucket starts full, a retry
 * takes tokens by what it follows, before it backs off, and is not made when there are too few; a
 * success gives one back, or, where the policy refunds, what the call's last retry took.
 *
 * gRPC (proposal A6, retryThrottling): every failure that would be retried takes one token, every
 * success gives tokenRatio, between 0 and maxTokens; retries and hedges are made only while there
 * are more than maxTokens / 2. They take nothing themselves.
 *
 * Concurrency (Envoy, circuit_breaker.proto: retry_budget): as many retries may be active as the
 * larger of a number and a share of the attempts that are under way, floored. max_retries, Envoy's
 * older limit, is overridden by it.
 *
 * Tokens are counted in thousandths. */
#include "sim/budget.h"

#include "sim/base/base.h"

#define MILLI   1000
#define MILLION 1000000

static uint64_t full_milli(const struct spec_client *policy)
{
    switch (policy->budget) {
    case SPEC_BUDGET_TOKENS:
        return (uint64_t)policy->budget_capacity * MILLI;
    case SPEC_BUDGET_GRPC:
        return (uint64_t)policy->budget_tokens_max * MILLI;
    case SPEC_BUDGET_NONE:
    case SPEC_BUDGET_CONCURRENCY:
        return 0;
    }
    UNREACHABLE();
}

void budget_init(struct budget *budget, const struct spec_client *policy)
{
    *budget = (struct budget){.kind = policy->budget, .tokens_milli = full_milli(policy)};
}

void budget_adopt(struct budget *budget, const struct spec_client *policy)
{
    const uint64_t full = full_milli(policy);
    bool is_new = budget->kind != policy->budget;
    budget->kind = policy->budget;
    if (is_new || budget->tokens_milli > full) {
        budget->tokens_milli = full;
    }
}

void budget_failed(struct budget *budget, const struct spec_client *policy)
{
    if (policy->budget == SPEC_BUDGET_GRPC) {
        budget->tokens_milli -= budget->tokens_milli < MILLI ? budget->tokens_milli : MILLI;
    }
}

static uint64_t cost_of(const struct spec_client *policy, enum sq_status status)
{
    if (status == SQ_E_TIMEOUT) {
        return (uint64_t)policy->budget_timeout_cost * MILLI;
    }
    if (status == SQ_E_OVERLOADED) {
        return (uint64_t)policy->budget_throttling_cost * MILLI;
    }
    return (uint64_t)policy->budget_retry_cost * MILLI;
}

static uint32_t retries_max(const struct spec_client *policy, uint32_t active)
{
    if (policy->budget == SPEC_BUDGET_CONCURRENCY) {
        uint64_t share = (uint64_t)active * policy->budget_share / MILLION;
        return share > policy->budget_retries_min ? (uint32_t)share : policy->budget_retries_min;
    }
    return policy->limits.retries > 0 ? policy->limits.retries : UINT32_MAX;
}

bool budget_take(struct budget *budget, const struct spec_client *policy, enum sq_status status,
                 uint32_t active, uint64_t *cost_milli)
{
    ASSERT(budget->kind == policy->budget);
    *cost_milli = 0;
    if (budget->retries >= retries_max(policy, active)) {
        return false;
    }
    if (policy->budget == SPEC_BUDGET_GRPC) {
        return budget->tokens_milli * 2 > full_milli(policy);
    }
    if (policy->budget != SPEC_BUDGET_TOKENS) {
        return true;
    }
    const uint64_t cost = cost_of(policy, status);
    if (budget->tokens_milli < cost) {
        return false;
    }
    budget->tokens_milli -= cost;
    *cost_milli = cost;
    return true;
}

void budget_succeeded(struct budget *budget, const struct spec_client *policy, uint64_t cost_milli)
{
    const uint64_t full = full_milli(policy);
    if (policy->budget == SPEC_BUDGET_TOKENS) {
        bool is_refund = policy->budget_refunds && cost_milli > 0;
        budget->tokens_milli += is_refund ? cost_milli : policy->budget_success_milli;
    } else if (policy->budget == SPEC_BUDGET_GRPC) {
        budget->tokens_milli += policy->budget_ratio_milli;
    }
    if (budget->tokens_milli > full) {
        budget->tokens_milli = full;
    }
}
