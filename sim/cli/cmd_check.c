/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall check: reads scenarios and says what is wrong with them, all at once. */
#include "sim/cli/cli.h"

#include "sim/base/base.h"
#include "sim/input/schema.h"

#include <argp.h>

static const char doc[] =
    "Validates scenarios without running them. Errors name file, line and column.\v"
    "Exit status 0: all are sound; 2: some are not.";
enum { KEY_SET = 256 };

static const struct argp_option options[] = {
    {"normalise", 'n', NULL, 0, "print the scenario with all defaults filled in", 0},
    {"schema", 'S', NULL, 0, "print the JSON Schema of the scenario language", 0},
    {"set", KEY_SET, "PATH=VALUE", 0, "override a key, as `squall run` does", 0},
    {0},
};

struct arguments {
    bool is_normalised;
    bool is_schema;
    const char *sets[64];
    uint32_t set_count;
    char **files;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'n':
        arguments->is_normalised = true;
        return 0;
    case 'S':
        arguments->is_schema = true;
        return 0;
    case KEY_SET:
        add_setting(state, arguments->sets, ARRAY_COUNT(arguments->sets), &arguments->set_count,
                    argument);
        return 0;
    case ARGP_KEY_ARGS:
        arguments->files = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (!arguments->is_schema) {
            argp_error(state, "no scenario given");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_check(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "SCENARIO...", doc, NULL, NULL, NULL};
    struct arguments arguments = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (arguments.is_schema) {
        schema_json(stdout);
        return EXIT_HELD;
    }
    int status = EXIT_HELD;
    for (char **file = arguments.files; *file != NULL; file++) {
        struct opened opened;
        struct plan_options plan_options = {.sets = arguments.sets,
                                            .set_count = arguments.set_count};
        int one = open_plan(&opened, *file, &plan_options);
        status = exit_worse(status, one);
        if (one != EXIT_HELD) {
            continue;
        }
        if (arguments.is_normalised) {
            fputs(opened.plan.canonical, stdout);
        } else {
            printf("%s: sound; %u %s, %llu %s each\n", *file, opened.plan.cell_count,
                   opened.plan.cell_count == 1 ? "cell" : "cells",
                   (unsigned long long)opened.plan.seed_count,
                   opened.plan.seed_count == 1 ? "seed" : "seeds");
        }
        close_plan(&opened);
    }
    return status;
}
