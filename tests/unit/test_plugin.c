/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which tables of plug-ins squall takes, and that nothing is added to squall.h without a sign. */
#include "sim/plugin.h"

#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

static enum sq_status boot(struct sq_env *env)
{
    (void)env;
    return SQ_OK;
}

static struct sq_model model_of_version(uint32_t version)
{
    return (struct sq_model){
        .abi_version = version, .size = sizeof(struct sq_model), .name = "m", .boot = boot};
}

TEST(plugin, of_a_newer_header_is_refused_and_of_an_older_one_runs)
{
    for (uint32_t version = 0; version <= SQ_ABI_VERSION + 2; version++) {
        const struct sq_model model = model_of_version(version);
        const bool is_known = version == 2 || version == 3;
        struct err err = {0};
        CHECK_EQUAL(plugin_check(&model, "m.so", &err), is_known);
        if (!is_known) {
            char text[128];
            snprintf(text, sizeof(text), "built for ABI version %u, this squall has version %u",
                     version, SQ_ABI_VERSION);
            CHECK_EQUAL(err.code, ERR_INPUT);
            CHECK(strstr(err.text, text) != NULL);
        }
    }
}

TEST(plugin, without_a_name_or_of_another_size_is_refused)
{
    struct sq_model model = model_of_version(SQ_ABI_VERSION);
    struct err err = {0};
    model.size -= 8;
    CHECK(!plugin_check(&model, "m.so", &err));
    CHECK(strstr(err.text, "its struct sq_model has") != NULL);
    model = model_of_version(SQ_ABI_VERSION);
    model.name = NULL;
    CHECK(!plugin_check(&model, "m.so", &err));
    CHECK(strstr(err.text, "a name and a boot function") != NULL);
    CHECK(!plugin_check(NULL, "m.so", &err));
}

/* Another size here is another version: squall.h says what came with which. */
TEST(plugin, version_3_has_tables_of_these_sizes)
{
    static const size_t pointer = sizeof(void *);
    CHECK_EQUAL(SQ_ABI_VERSION, 3);
    CHECK_EQUAL(SQ_SEE_COUNT, 20);
    CHECK_EQUAL(sizeof(struct sq_clock_ops), 6 * pointer);
    CHECK_EQUAL(sizeof(struct sq_net_ops), pointer);
    CHECK_EQUAL(sizeof(struct sq_disk_ops), 12 * pointer);
    CHECK_EQUAL(sizeof(struct sq_cpu_ops), 3 * pointer);
    CHECK_EQUAL(sizeof(struct sq_fiber_ops), 5 * pointer);
    CHECK_EQUAL(sizeof(struct sq_rand_ops), 3 * pointer);
    CHECK_EQUAL(sizeof(struct sq_mem_ops), 4 * pointer);
    CHECK_EQUAL(sizeof(struct sq_call_ops), 6 * pointer);
    CHECK_EQUAL(sizeof(struct sq_trace_ops), 5 * pointer);
    CHECK_EQUAL(sizeof(struct sq_request), 48);
    CHECK_EQUAL(sizeof(struct sq_call_options), 64);
    CHECK_EQUAL(sizeof(struct sq_reply_options), 64);
    CHECK_EQUAL(sizeof(struct sq_env), 120);
    CHECK_EQUAL(sizeof(struct sq_model), 96);
}
