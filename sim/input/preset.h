/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Presets of `client.retry.preset`: the policies that well-known clients come with, each with all
 * its numbers and where they are from. One table, from which scenarios are expanded and `squall
 * explain preset` is printed. */
#ifndef SQUALL_INPUT_PRESET_H
#define SQUALL_INPUT_PRESET_H

#include "sim/base/err.h"

#include <stdint.h>
#include <stdio.h>

struct preset {
    const char *name;
    const char *source; /* what it is, and whose numbers these are */
    const char *keys;   /* of a client, as YAML: a whole `retry`, and other blocks that it needs */
};

/* "|none|naive|...": for the schema. */
extern const char preset_choices[];
/* Blocks of a client besides `retry` that presets write, NULL-terminated: who names a preset does
 * not inherit them. */
extern const char *const preset_blocks[];

/* The index-th preset; NULL past the end. */
const struct preset *preset_at(uint32_t index);
/* NULL for an unknown name. */
const struct preset *preset_find(const char *name);
/* `squall explain preset` (name NULL: all of them, a line each) and `preset.NAME`. */
bool preset_explain(const char *name, FILE *out, struct err *err);

#endif
