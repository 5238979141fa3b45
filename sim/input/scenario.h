/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scenario: a checked scenario file, and its compilation to run specs.
 *
 * Compilation works on trees. The file (over the one it extends) is overlaid with the values of a
 * sweep's cell and then with the --set overrides. Inherited parts are spelt out (host of a group,
 * link defaults, client of a load, retry presets). Then the schema completes the tree: unknown keys
 * and bad values are reported, defaults filled in, scalars brought to one form. The spec is read
 * from the complete tree through the schema, so that no key can be read that the schema does not
 * describe.
 *
 * run_spec.canonical is the tree with all defaults, but without what parts inherit from each other:
 * it loads again to the same spec and the same text, and a sweep or an override of it does what it
 * does to the file. */
#ifndef SQUALL_INPUT_SCENARIO_H
#define SQUALL_INPUT_SCENARIO_H

#include "sim/input/diag.h"
#include "sim/input/yaml.h"

struct scenario;

/* One override: the path of a key and the value to put there. */
struct scenario_setting {
    const char *path;        /* "client.retry.preset", "faults.leader-stall.at", "faults[0].at" */
    struct spec_place place; /* of the path, for messages */
    const struct yaml_node *value;
};

/* An axis of the sweep, in the order of the file. */
struct scenario_axis {
    const char *path;
    struct spec_place place;
    const struct yaml_node *const *values; /* at least one */
    uint32_t value_count;
    uint32_t zip; /* goes hand in hand with the others of this number; 0: with none */
};

/* Reads and checks a file: the whole of it, and its first cell down to the run spec. NULL: `diag`
 * says why (every error of the file, up to DIAG_MAX). `catalog` must outlive the scenario. */
struct scenario *scenario_load(const char *path, const struct catalog *catalog, struct diag *diag);
/* The same from memory; `file` names it in messages, and `extends` and plug-ins are relative to its
 * folder. */
struct scenario *scenario_parse(const char *file, const char *text, size_t size,
                                const struct catalog *catalog, struct diag *diag);
void scenario_free(struct scenario *scenario); /* NULL: nothing */

const char *scenario_file(const struct scenario *scenario);
const char *scenario_name(const struct scenario *scenario);
const char *scenario_description(const struct scenario *scenario); /* "" when there is none */
/* Value of a label, or NULL. */
const char *scenario_label(const struct scenario *scenario, const char *key);
/* Key and value of the index-th label in the order of the file; false past the end. */
bool scenario_label_at(const struct scenario *scenario, uint32_t index, const char **key,
                       const char **value);
/* `seeds` of the file in the syntax of seeds_parse; "1..100" when the file has none. `place` may be
 * NULL. */
const char *scenario_seeds(const struct scenario *scenario, struct spec_place *place);
const struct scenario_axis *scenario_axes(const struct scenario *scenario, uint32_t *count);
/* Fixes axes[index], one of `count`, by an override: what is zipped with it keeps the values that
 * stand beside this one, if there are any. */
void scenario_fix_axis(struct scenario_axis *axes, uint32_t count, uint32_t index,
                       const struct scenario_setting *setting, struct arena *arena);

/* Compiles one cell: settings are applied in order, then the result is checked. On success fills
 * `spec`, all of whose memory belongs to `arena` or to the scenario. False: errors were added to
 * `diag`. */
bool scenario_compile(const struct scenario *scenario, const struct scenario_setting *settings,
                      uint32_t count, struct arena *arena, struct run_spec *spec,
                      struct diag *diag);
/* Normalised text of the whole file with settings applied, the sweep shown and the seeds not; same
 * rules. */
const char *scenario_canonical(const struct scenario *scenario,
                               const struct scenario_setting *settings, uint32_t count,
                               struct arena *arena, struct diag *diag);
/* Splits "PATH=VALUE" as --set takes it, VALUE being YAML ("5", "[timeout, crash]"); "null" takes
 * the key away. False: `diag`
 * says why. */
bool scenario_setting_parse(const char *text, struct arena *arena, struct scenario_setting *setting,
                            struct diag *diag);

#endif
