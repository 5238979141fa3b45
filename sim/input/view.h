/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Views: reading a completed tree through the schema. A view is a mapping of the tree together with
 * the object of the table that describes it; each getter asserts that the table has the key, so the
 * language has no key that `squall explain` does not know. */
#ifndef SQUALL_INPUT_VIEW_H
#define SQUALL_INPUT_VIEW_H

#include "sim/input/schema.h"

struct view {
    const struct schema_object *object;
    const struct yaml_node *node; /* complete; a scalar is {short_key: scalar}; NULL: absent */
};

struct view view_of(const struct schema_object *object, const struct yaml_node *node);
/* The value's node, or NULL. */
const struct yaml_node *view_node(struct view view, const char *key);
bool view_has(struct view view, const char *key);
/* View of a key's object, absent when the key is. */
struct view view_at(struct view view, const char *key);
/* View of the index-th item of a list or map of objects, or of the one that stands for a list. */
struct view view_item(struct view view, const char *key, uint32_t index);
/* Number of items of a list or map; 0 when absent. */
uint32_t view_count(struct view view, const char *key);
/* Number of a scalar as schema_read gives it; `otherwise` when the key is absent. */
int64_t view_number(struct view view, const char *key, int64_t otherwise);
/* Number of the index-th scalar of a list. */
int64_t view_item_number(struct view view, const char *key, uint32_t index);
/* Text of a scalar, or of the index-th of a list; NULL when absent. */
const char *view_text(struct view view, const char *key);
const char *view_item_text(struct view view, const char *key, uint32_t index);

#endif
