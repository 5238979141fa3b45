/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of presets. A number that its source does not have (gRPC knows no default policy, only
 * the example of its proposal) says so. What is retried is the same for all, since sources speak of
 * HTTP and gRPC codes: whatever another node, or the same one a little later, may answer better. */
#include "sim/input/preset.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/input/yaml.h"

#include <string.h>

#define FAILURES                                                                                   \
    "[timeout, temporarily-unavailable, crash, not-leader, overloaded, connection-refused]"
#define RETRY_ON  "retryOn: " FAILURES ", redirects: 3, "
#define NO_BUDGET "budget: {type: none}"
#define NO_BACKOFF                                                                                 \
    "backoff: none, initialBackoff: 0s, maxBackoff: 20s, backoffMultiplier: 2, jitter: none, "
#define GRPC_ANY "pushback: exact, transparent: true, "
#define GRPC_RETRIES                                                                               \
    "maxAttempts: 4, backoff: exponential, initialBackoff: 100ms, maxBackoff: 1s, "                \
    "backoffMultiplier: 2, jitter: proportional(20%), " GRPC_ANY
#define GRPC_THROTTLING "budget: {type: grpc, maxTokens: 10, tokenRatio: 0.1}"
#define AWS_STANDARD                                                                               \
    "maxAttempts: 3, backoff: exponential, initialBackoff: 1s, maxBackoff: 20s, "                  \
    "backoffMultiplier: 2, jitter: full, " RETRY_ON                                                \
    "budget: {type: token-bucket, capacity: 500, retryCost: 5, timeoutCost: 10, "                  \
    "throttlingCost: 5, successCredit: 1, refund: true}"
#define ENVOY_RETRIES                                                                              \
    "maxAttempts: 2, backoff: exponential, initialBackoff: 25ms, maxBackoff: 250ms, "              \
    "backoffMultiplier: 2, jitter: full, "
#define ENVOY_LIMITS                                                                               \
    "limits: {maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3}"

#define PRESETS(X)                                                                                 \
    X("none", "one attempt, as clients do that leave retries to their callers",                    \
      "{retry: {maxAttempts: 1, " NO_BACKOFF RETRY_ON NO_BUDGET "}}")                              \
    X("naive", "what people write first: again at once, until the deadline",                       \
      "{retry: {maxAttempts: unlimited, " NO_BACKOFF RETRY_ON NO_BUDGET "}}")                      \
    X("grpc",                                                                                      \
      "gRPC proposal A6, the retryPolicy of its example, its pushback and transparent retry "      \
      "(once in a call, as retry_filter_legacy_call_data.cc of C-core); jitter of 20% as "         \
      "implementations have it; gRPC has no default policy",                                       \
      "{retry: {" GRPC_RETRIES RETRY_ON NO_BUDGET "}}")                                            \
    X("grpc-throttling",                                                                           \
      "gRPC proposal A6, the retryPolicy and retryThrottling of its examples; jitter of 20% as "   \
      "implementations have it",                                                                   \
      "{retry: {" GRPC_RETRIES RETRY_ON GRPC_THROTTLING "}}")                                      \
    X("grpc-hedging",                                                                              \
      "gRPC proposal A6, the hedgingPolicy and retryThrottling of its examples, "                  \
      "its pushback and transparent retry",                                                        \
      "{retry: {maxAttempts: 1, " NO_BACKOFF RETRY_ON GRPC_ANY GRPC_THROTTLING "}, "               \
      "hedging: {enabled: true, maxAttempts: 4, hedgingDelay: 500ms, nonFatal: " FAILURES "}}")    \
    X("aws-standard",                                                                              \
      "AWS SDKs, standard mode (botocore, retries/standard.py and quota.py before 2026): full "    \
      "jitter over 1s, 2s, ...; a quota of 500",                                                   \
      "{retry: {" AWS_STANDARD "}}")                                                               \
    X("aws-standard-2026",                                                                         \
      "AWS SDKs, standard mode with the defaults of 2026 (botocore, version 2.1 of "               \
      "retries/standard.py): 50ms, 1s after throttling errors; a retry costs 14, after a "         \
      "throttling error 5; x-amz-retry-after is heeded up to 5s beyond the back-off",              \
      "{retry: {maxAttempts: 3, backoff: exponential, initialBackoff: 50ms, throttlingBackoff: "   \
      "1s, maxBackoff: 20s, backoffMultiplier: 2, jitter: full, pushback: bounded, pushbackMax: "  \
      "5s, " RETRY_ON                                                                              \
      "budget: {type: token-bucket, capacity: 500, retryCost: 14, timeoutCost: 14, "               \
      "throttlingCost: 5, successCredit: 1, refund: true}}}")                                      \
    X("aws-adaptive",                                                                              \
      "AWS SDKs, adaptive mode (botocore, retries/adaptive.py, throttling.py and bucket.py): "     \
      "aws-standard and a send rate by CUBIC once the service has said that it is overloaded",     \
      "{retry: {" AWS_STANDARD "}, rateLimiter: {type: adaptive, beta: 0.7, scaleConstant: 0.4, "  \
      "smoothing: 0.8, minRate: 0.5/s}}")                                                          \
    X("envoy",                                                                                     \
      "Envoy's defaults: num_retries 1, base_interval 25ms, max_interval ten times that, full "    \
      "jitter; circuit_breaker.proto: 1024 of each, max_retries 3",                                \
      "{retry: {" ENVOY_RETRIES RETRY_ON NO_BUDGET "}, " ENVOY_LIMITS "}")                         \
    X("envoy-retry-budget",                                                                        \
      "Envoy's defaults, as preset.envoy, with a retry_budget of circuit_breaker.proto instead "   \
      "of max_retries: 20%, and at least 3",                                                       \
      "{retry: {" ENVOY_RETRIES RETRY_ON "budget: {type: concurrency, percent: 20%, "              \
      "minRetryConcurrency: 3}}, " ENVOY_LIMITS "}")                                               \
    X("resilience4j",                                                                              \
      "resilience4j's defaults: RetryConfig (3 attempts, 500ms) around CircuitBreakerConfig (50% " \
      "of 100 calls, open 60s, 10 calls half open)",                                               \
      "{retry: {maxAttempts: 3, backoff: fixed, initialBackoff: 500ms, maxBackoff: 500ms, "        \
      "backoffMultiplier: 1, jitter: none, " RETRY_ON NO_BUDGET "}, circuitBreaker: {enabled: "    \
      "true, slidingWindowType: count, slidingWindowSize: 100, failureRateThreshold: 50%, "        \
      "slowCallRateThreshold: 100%, slowCallDurationThreshold: 1m, minimumNumberOfCalls: 100, "    \
      "waitDurationInOpenState: 1m, permittedNumberOfCallsInHalfOpenState: 10}}")

static const struct preset presets[] = {
#define PRESET_ROW(name, source, keys) {name, source, keys},
    PRESETS(PRESET_ROW)
#undef PRESET_ROW
};

#define PRESET_CHOICE(name, source, keys) "|" name
const char preset_choices[] = PRESETS(PRESET_CHOICE);
#undef PRESET_CHOICE

const char *const preset_blocks[] = {"hedging", "circuitBreaker", "limits", "rateLimiter", NULL};

const struct preset *preset_at(uint32_t index)
{
    return index < ARRAY_COUNT(presets) ? &presets[index] : NULL;
}

const struct preset *preset_find(const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t index = 0; index < ARRAY_COUNT(presets); index++) {
        if (strcmp(presets[index].name, name) == 0) {
            return &presets[index];
        }
    }
    return NULL;
}

/* "client.retry.maxAttempts: 3", a line for each value. Recursive as deep as the table's texts. */
static void print_keys(const struct yaml_node *mapping, const char *path, struct text *out)
{
    for (uint32_t index = 0; index < mapping->count; index++) {
        const struct yaml_node *value = mapping->items[index];
        char below[256];
        snprintf(below, sizeof(below), "%s.%s", path, mapping->keys[index]->text);
        if (value->kind == YAML_MAPPING) {
            print_keys(value, below, out);
            continue;
        }
        text_printf(out, "    %s: ", below);
        yaml_write_flow(value, out);
        text_add(out, "\n");
    }
}

static bool unknown_preset(const char *name, struct err *err)
{
    const char *names[ARRAY_COUNT(presets)];
    for (uint32_t index = 0; index < ARRAY_COUNT(presets); index++) {
        names[index] = presets[index].name;
    }
    const char *nearest = text_nearest(name, names, ARRAY_COUNT(presets));
    return nearest != NULL
               ? err_set(err, ERR_INPUT, "unknown preset '%s'; did you mean '%s'?", name, nearest)
               : err_set(err, ERR_INPUT,
                         "unknown preset '%s': 'squall explain preset' lists them all", name);
}

bool preset_explain(const char *name, FILE *out, struct err *err)
{
    const struct preset *only = name != NULL ? preset_find(name) : NULL;
    if (name != NULL && only == NULL) {
        return unknown_preset(name, err);
    }
    struct text text;
    text_init(&text);
    for (uint32_t index = 0; only == NULL && index < ARRAY_COUNT(presets); index++) {
        text_printf(&text, "preset.%s\n    %s\n", presets[index].name, presets[index].source);
    }
    if (only != NULL) {
        struct arena arena;
        arena_init(&arena);
        text_printf(&text, "preset %s\n    source: %s\n", only->name, only->source);
        print_keys(yaml_parse_own(only->keys, &arena), "client", &text);
        arena_release(&arena);
    }
    fputs(text_of(&text), out);
    text_release(&text);
    return true;
}
