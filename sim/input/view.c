/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Getters. None of them can fail: completion has checked every scalar with the same schema_read. */
#include "sim/input/view.h"

#include "sim/base/base.h"

#include <string.h>

struct view view_of(const struct schema_object *object, const struct yaml_node *node)
{
    ASSERT(object != NULL);
    return (struct view){object, node};
}

const struct yaml_node *view_node(struct view view, const char *key)
{
    const struct schema_key *described = schema_key_of(view.object, key);
    if (view.node == NULL) {
        return NULL;
    }
    if (view.node->kind == YAML_SCALAR) {
        ASSERT(view.object->short_key != NULL);
        return strcmp(view.object->short_key, key) == 0 ? view.node : NULL;
    }
    return yaml_find(view.node, described->name);
}

bool view_has(struct view view, const char *key)
{
    return view_node(view, key) != NULL;
}

struct view view_at(struct view view, const char *key)
{
    const struct schema_key *described = schema_key_of(view.object, key);
    ASSERT(described->form == SCHEMA_OBJECT || described->form == SCHEMA_EITHER);
    return view_of(described->object, view_node(view, key));
}

struct view view_item(struct view view, const char *key, uint32_t index)
{
    const struct schema_key *described = schema_key_of(view.object, key);
    ASSERT(described->form == SCHEMA_LIST || described->form == SCHEMA_MAP ||
           described->form == SCHEMA_ONE_OR_MANY);
    const struct yaml_node *node = view_node(view, key);
    ASSERT(node != NULL);
    ASSERT(index < view_count(view, key));
    if (described->form == SCHEMA_ONE_OR_MANY && node->kind == YAML_MAPPING) {
        return view_of(described->object, node);
    }
    return view_of(described->object, node->items[index]);
}

uint32_t view_count(struct view view, const char *key)
{
    const struct yaml_node *node = view_node(view, key);
    const bool is_one = node != NULL && node->kind == YAML_MAPPING &&
                        schema_key_of(view.object, key)->form == SCHEMA_ONE_OR_MANY;
    return node == NULL ? 0 : is_one ? 1 : node->count;
}

static int64_t read_number(const struct schema_key *key, const struct yaml_node *node)
{
    ASSERT(node->kind == YAML_SCALAR);
    int64_t number = 0;
    bool is_read = schema_read(key, node->text, &number, NULL);
    ASSERT(is_read);
    return number;
}

int64_t view_number(struct view view, const char *key, int64_t otherwise)
{
    const struct yaml_node *node = view_node(view, key);
    return node == NULL ? otherwise : read_number(schema_key_of(view.object, key), node);
}

int64_t view_item_number(struct view view, const char *key, uint32_t index)
{
    const struct yaml_node *node = view_node(view, key);
    ASSERT(node != NULL);
    ASSERT(index < node->count);
    return read_number(schema_key_of(view.object, key), node->items[index]);
}

const char *view_text(struct view view, const char *key)
{
    const struct yaml_node *node = view_node(view, key);
    ASSERT(node == NULL || node->kind == YAML_SCALAR);
    return node == NULL ? NULL : node->text;
}

const char *view_item_text(struct view view, const char *key, uint32_t index)
{
    const struct yaml_node *node = view_node(view, key);
    ASSERT(node != NULL);
    ASSERT(index < node->count);
    return node->items[index]->text;
}
