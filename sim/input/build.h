/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Build: from a completed tree to a run spec. Each build_* part reads its branch of the tree
 * through views and fills
 * its branch of the spec; what the schema cannot see (keys that need or exclude each other, names
 * that must exist) is
 * reported here. A branch in which the schema found an error is read but not complained about
 * again. */
#ifndef SQUALL_INPUT_BUILD_H
#define SQUALL_INPUT_BUILD_H

#include "sim/input/view.h"

#define BUILD_NODES_MAX 64

struct build {
    struct arena *arena;
    struct diag *diag;
    const struct catalog *catalog;
    const char *folder; /* of the scenario: plug-ins are relative to it */
    struct run_spec *spec;
    struct view root;
    const char *node_names[BUILD_NODES_MAX];
};

/* Completes the options of all models in the tree: the result is the tree to build from and to
 * print. Errors go to the diag. */
const struct yaml_node *build_options(const struct yaml_node *tree, const struct catalog *catalog,
                                      const char *folder, struct arena *arena, struct diag *diag);
/* Fills `spec` (but canonical and file); false when the diag has got errors. */
bool build_spec(const struct yaml_node *tree, const struct catalog *catalog, const char *folder,
                struct arena *arena, struct run_spec *spec, struct diag *diag);

/* The parts, in this order. */
void build_system(struct build *build);
void build_network(struct build *build);
void build_disk(struct build *build);
void build_loads(struct build *build);
void build_faults(struct build *build);
void build_checks(struct build *build);
void build_judging(struct build *build);
void build_availability(struct build *build); /* by build_judging */

/* Reports at the value of `key` (or at the view itself when the key is absent) unless the view is
 * bad already. */
void build_complain(struct build *build, struct view view, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Law of durations under `key`, a constant `otherwise` when absent; false after a complaint. */
bool build_law(struct build *build, struct view view, const char *key, int64_t otherwise,
               struct dist *law);
/* {latency, jitter, distribution}: the fixed part and the law that is added to it. */
void build_jitter(struct build *build, struct view view, int64_t *latency_ns, struct dist *jitter);
/* The same as one law. */
void build_delay(struct build *build, struct view view, struct dist *law);
/* Policy of a caller but its target. */
void build_client(struct build *build, struct view view, struct spec_client *client);
/* Of a LoadChaos: `loads`. Of a ClientChaos: `loads`, `groups` and their policies. */
void build_scale(struct build *build, struct view view, struct spec_fault *fault);
void build_policy(struct build *build, struct view view, struct spec_fault *fault);
/* Index of a group, or UINT32_MAX after a complaint. */
uint32_t build_find_group(struct build *build, struct view view, const char *key);
/* {node, zone, group, role} */
void build_selector(struct build *build, struct view view, struct spec_selector *selector);
/* Mask of the nodes of one selector of a link, "zone=a"; 0 after a complaint. */
uint64_t build_mask(struct build *build, struct view view, const char *key, const char *text);
/* Complains when two of `count` names are the same; `key` is the list they come from. */
void build_check_unique(struct build *build, struct view view, const char *key,
                        const char *const *names, uint32_t count);

#endif
