/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Expansion: spells out in a tree what the language lets people leave out because it stands
 * elsewhere, before the schema completes the tree with its defaults.
 *
 *   - hosts of groups inherit from `system.host`, clients of groups and loads from `client`, links
 *     from `network.default`;
 *   - a client inherits from the preset of its retries; a budget without `type` is the one that its
 *     keys belong to;
 *   - defaults that depend on other keys: nodes of a system without groups, proportions and the
 *     duration of a load. */
#ifndef SQUALL_INPUT_EXPAND_H
#define SQUALL_INPUT_EXPAND_H

#include "sim/input/yaml.h"

/* The rule that a retry policy with a preset of its own begins anew. */
extern const struct yaml_restart expand_restart;

enum expand_mode {
    EXPAND_INHERITED, /* all of the above: the tree that a spec is built from */
    EXPAND_WRITTEN,   /* all but inheritance between parts: the tree that is printed, in which a
                       * change of `client` still reaches the loads */
};

/* Takes any tree, well-formed or not; what is not a mapping where one belongs stays for the schema
 * to complain about. Expanding twice changes nothing. */
const struct yaml_node *expand_tree(const struct yaml_node *tree, enum expand_mode mode,
                                    struct arena *arena);

#endif
