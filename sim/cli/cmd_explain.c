/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall explain: a key of the scenario language: type, unit, default, choices, meaning. */
#include "sim/cli/cli.h"

#include "sim/input/schema.h"

#include <argp.h>

static const char doc[] =
    "Explains a key of the scenario language, or everything below it, a model's options, or a "
    "preset.\v"
    "Examples:\n  squall explain client.retry\n  squall explain model.raft-sqlite\n"
    "  squall explain preset     (all presets of client.retry.preset)\n"
    "  squall explain preset.aws-standard\n"
    "  squall explain            (everything)";

struct arguments {
    const char *path;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (key == ARGP_KEY_ARG) {
        if (state->arg_num > 0) {
            argp_usage(state);
        }
        arguments->path = argument;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int cmd_explain(int argc, char **argv)
{
    static const struct argp argp = {NULL, parse, "[PATH]", doc, NULL, NULL, NULL};
    struct arguments arguments = {.path = ""};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    struct err err = {0};
    if (!schema_explain(arguments.path, catalog_get(), stdout, &err)) {
        return fail(&err);
    }
    return EXIT_HELD;
}
