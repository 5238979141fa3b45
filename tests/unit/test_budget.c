/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Budgets of retries, each against its written definition. */
#include "sim/budget.h"

#include "sim/base/base.h"
#include "tests/unit/harness.h"

static struct spec_client tokens(uint32_t capacity, bool is_refunded)
{
    return (struct spec_client){.budget = SPEC_BUDGET_TOKENS,
                                .budget_capacity = capacity,
                                .budget_retry_cost = 5,
                                .budget_timeout_cost = 10,
                                .budget_throttling_cost = 3,
                                .budget_success_milli = 1000,
                                .budget_refunds = is_refunded};
}

static struct spec_client grpc(void)
{
    return (struct spec_client){
        .budget = SPEC_BUDGET_GRPC, .budget_tokens_max = 10, .budget_ratio_milli = 100};
}

static bool takes(struct budget *budget, const struct spec_client *policy, enum sq_status status)
{
    uint64_t cost = 0;
    return budget_take(budget, policy, status, 0, &cost);
}

TEST(budget, without_one_every_retry_is_free)
{
    struct spec_client policy = {.budget = SPEC_BUDGET_NONE};
    struct budget budget;
    uint64_t cost = 7;
    budget_init(&budget, &policy);
    budget.retries = 1000000;
    CHECK(budget_take(&budget, &policy, SQ_E_TIMEOUT, 0, &cost));
    CHECK_EQUAL(cost, 0);
    budget_failed(&budget, &policy);
    budget_succeeded(&budget, &policy, 0);
    CHECK_EQUAL(budget.tokens_milli, 0);
}

TEST(budget, a_retry_costs_what_it_follows)
{
    const struct spec_client policy = tokens(20, false);
    struct budget budget;
    uint64_t cost = 0;
    budget_init(&budget, &policy);
    CHECK(budget_take(&budget, &policy, SQ_E_TIMEOUT, 0, &cost));
    CHECK_EQUAL(cost, 10000);
    CHECK(budget_take(&budget, &policy, SQ_E_UNAVAILABLE, 0, &cost));
    CHECK_EQUAL(cost, 5000);
    CHECK(budget_take(&budget, &policy, SQ_E_OVERLOADED, 0, &cost));
    CHECK_EQUAL(cost, 3000);
    CHECK_EQUAL(budget.tokens_milli, 2000);
    CHECK(!budget_take(&budget, &policy, SQ_E_OVERLOADED, 0, &cost));
    CHECK_EQUAL(cost, 0);
    CHECK_EQUAL(budget.tokens_milli, 2000);
}

TEST(budget, a_success_gives_one_back_or_what_the_last_retry_took)
{
    /* botocore, RetryQuotaChecker.release_retry_quota */
    const struct spec_client refunded = tokens(20, true);
    const struct spec_client credited = tokens(20, false);
    struct budget budget;
    uint64_t cost = 0;
    budget_init(&budget, &refunded);
    CHECK(budget_take(&budget, &refunded, SQ_E_TIMEOUT, 0, &cost));
    budget_succeeded(&budget, &refunded, 0);
    CHECK_EQUAL(budget.tokens_milli, 11000);
    budget_succeeded(&budget, &refunded, cost);
    CHECK_EQUAL(budget.tokens_milli, 20000); /* and not 21 */
    CHECK(budget_take(&budget, &refunded, SQ_E_TIMEOUT, 0, &cost));
    budget_succeeded(&budget, &credited, cost);
    CHECK_EQUAL(budget.tokens_milli, 11000);
}

TEST(budget, of_grpc_allows_retries_above_half_of_its_tokens)
{
    /* A6: failures -1, successes +tokenRatio; "less than or equal to the threshold (maxTokens / 2)"
     * stops retries. */
    const struct spec_client policy = grpc();
    struct budget budget;
    budget_init(&budget, &policy);
    for (uint32_t failures = 1; failures <= 5; failures++) {
        CHECK(takes(&budget, &policy, SQ_E_TIMEOUT));
        budget_failed(&budget, &policy);
    }
    CHECK_EQUAL(budget.tokens_milli, 5000);
    CHECK(!takes(&budget, &policy, SQ_E_TIMEOUT));
    budget_succeeded(&budget, &policy, 0);
    CHECK_EQUAL(budget.tokens_milli, 5100);
    CHECK(takes(&budget, &policy, SQ_E_TIMEOUT)); /* and takes nothing */
    CHECK_EQUAL(budget.tokens_milli, 5100);
}

TEST(budget, of_grpc_stays_between_zero_and_its_maximum)
{
    const struct spec_client policy = grpc();
    struct budget budget;
    budget_init(&budget, &policy);
    budget_succeeded(&budget, &policy, 0);
    CHECK_EQUAL(budget.tokens_milli, 10000);
    for (uint32_t i = 0; i < 20; i++) {
        budget_failed(&budget, &policy);
    }
    CHECK_EQUAL(budget.tokens_milli, 0);
    for (uint32_t i = 0; i < 50; i++) {
        CHECK(!takes(&budget, &policy, SQ_E_TIMEOUT));
        budget_succeeded(&budget, &policy, 0);
    }
    CHECK_EQUAL(budget.tokens_milli, 5000);
    budget_succeeded(&budget, &policy, 0);
    CHECK(takes(&budget, &policy, SQ_E_TIMEOUT));
}

TEST(budget, of_envoy_is_a_share_of_what_is_under_way_and_a_minimum)
{
    const struct spec_client policy = {.budget = SPEC_BUDGET_CONCURRENCY,
                                       .budget_share = 200000,
                                       .budget_retries_min = 3,
                                       .limits = {.retries = 1}};
    static const struct {
        uint32_t active;
        uint32_t allowed;
    } rows[] = {{0, 3}, {15, 3}, {19, 3}, {20, 4}, {24, 4}, {100, 20}, {1000, 200}};
    struct budget budget;
    uint64_t cost = 0;
    budget_init(&budget, &policy);
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        budget.retries = rows[i].allowed - 1;
        CHECK(budget_take(&budget, &policy, SQ_E_TIMEOUT, rows[i].active, &cost));
        budget.retries = rows[i].allowed;
        CHECK(!budget_take(&budget, &policy, SQ_E_TIMEOUT, rows[i].active, &cost));
    }
}

TEST(budget, retries_in_parallel_are_limited_beside_a_bucket)
{
    struct spec_client policy = tokens(500, true);
    policy.limits.retries = 3;
    struct budget budget;
    budget_init(&budget, &policy);
    budget.retries = 2;
    CHECK(takes(&budget, &policy, SQ_E_TIMEOUT));
    budget.retries = 3;
    CHECK(!takes(&budget, &policy, SQ_E_TIMEOUT));
    CHECK_EQUAL(budget.tokens_milli, 490000); /* what is refused costs nothing */
}

TEST(budget, of_another_kind_starts_full_and_of_the_same_kind_keeps_what_fits)
{
    struct spec_client policy = tokens(20, false);
    struct budget budget;
    budget_init(&budget, &policy);
    CHECK(takes(&budget, &policy, SQ_E_TIMEOUT));
    budget.retries = 2;
    policy.budget_capacity = 15;
    budget_adopt(&budget, &policy);
    CHECK_EQUAL(budget.tokens_milli, 10000);
    policy.budget_capacity = 8;
    budget_adopt(&budget, &policy);
    CHECK_EQUAL(budget.tokens_milli, 8000);
    const struct spec_client other = grpc();
    budget_adopt(&budget, &other);
    CHECK_EQUAL(budget.tokens_milli, 10000);
    CHECK_EQUAL(budget.retries, 2);
}
