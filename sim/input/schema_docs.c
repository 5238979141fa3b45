/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The schema table as documentation: `squall explain` for people, the JSON Schema for editors.
 *
 * The JSON Schema is looser than the checker where JSON Schema has no words (names that must exist,
 * keys that need each other), but never stricter: what squall accepts, it accepts. */
#include "sim/input/schema.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/input/json.h"
#include "sim/input/preset.h"

#include <inttypes.h>
#include <string.h>

#define OBJECTS_MAX 64
#define PATH_BYTES  256
#define TAILS_SHOWN 4

/* ------------------------------------------------------------------------------- types */

struct type_row {
    const char *name;    /* for people */
    const char *example; /* of a value, when the key has none */
    const char *json;    /* for editors */
};

#define JSON_PERCENT "{\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?%$\"}"
#define JSON_DURATION                                                                              \
    "{\"anyOf\": [{\"type\": \"string\", \"pattern\": "                                            \
    "\"^-?([0-9]+(\\\\.[0-9]+)?(ns|us|ms|s|m|h|d))+$\"}, {\"enum\": [0, \"0\"]}]}"

static const struct type_row type_rows[] = {
    [SCHEMA_NONE] = {"mapping", "", "{\"type\": \"object\"}"},
    [SCHEMA_TEXT] = {"text", "text", "{\"type\": [\"string\", \"number\", \"boolean\"]}"},
    [SCHEMA_NAME] = {"name (a-z, 0-9, -)", "name",
                     "{\"type\": [\"string\", \"integer\", \"boolean\"], \"pattern\": "
                     "\"^[a-z0-9][a-z0-9-]*$\"}"},
    [SCHEMA_COUNT] = {"whole number", "1", NULL},
    [SCHEMA_BOOLEAN] = {"true or false", "true", "{\"type\": \"boolean\"}"},
    [SCHEMA_CHOICE] = {"one of", "", NULL},
    [SCHEMA_DURATION] = {"duration (ns, us, ms, s, m, h, d)", "5ms", JSON_DURATION},
    [SCHEMA_FINE] =
        {"duration (ps, ns, us, ms, s)", "250ps",
         "{\"anyOf\": [{\"type\": \"string\", \"pattern\": "
         "\"^([0-9]+(\\\\.[0-9]+)?(ps|ns|us|ms|s|m|h|d))+$\"}, {\"enum\": [0, \"0\"]}]}"},
    [SCHEMA_PERCENT] = {"percentage (%)", "1%", JSON_PERCENT},
    [SCHEMA_RATIO] = {"percentage (%), also above 100%", "150%", JSON_PERCENT},
    [SCHEMA_SIZE] = {"size (B, KB, MB, GB, KiB, MiB, GiB)", "4KiB",
                     "{\"type\": [\"string\", \"integer\"], \"pattern\": "
                     "\"^[0-9]+(\\\\.[0-9]+)?(B|[KMGT]i?B)$\"}"},
    [SCHEMA_BANDWIDTH] = {"bandwidth (kbit, mbit, gbit; KB/s, MB/s, GB/s, KiB/s, ...)", "100mbit",
                          "{\"type\": \"string\", \"pattern\": "
                          "\"^[0-9]+(\\\\.[0-9]+)?([kmgt]?bit|[KMGT]?i?B/s)$\"}"},
    [SCHEMA_RATE] = {"rate (/s, /m, /h), or a number for each timeUnit", "200/s",
                     "{\"anyOf\": [{\"type\": \"string\", \"pattern\": "
                     "\"^[0-9]+(\\\\.[0-9]+)?(/s|/m|/h)?$\"}, {\"type\": \"number\", "
                     "\"minimum\": 0}]}"},
    [SCHEMA_PPM] = {"parts per million (ppm)", "50ppm",
                    "{\"type\": \"string\", \"pattern\": \"^-?[0-9]+(\\\\.[0-9]+)?ppm$\"}"},
    [SCHEMA_FACTOR] = {"factor (x)", "3x",
                       "{\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?x$\"}"},
    [SCHEMA_DECIMAL] = {"decimal number", "0.99", "{\"type\": \"number\"}"},
    [SCHEMA_SHARE] = {"whole number or percentage (%)", "20%",
                      "{\"anyOf\": [{\"type\": \"integer\"}, " JSON_PERCENT "]}"},
    [SCHEMA_JITTER] = {"one of none, full, equal, decorrelated, proportional(20%)", "full",
                       "{\"type\": \"string\", \"pattern\": "
                       "\"^(none|full|equal|decorrelated|proportional\\\\([0-9.]+%\\\\))$\"}"},
    [SCHEMA_SEEDS] = {"seeds (42, 1..1000, 1000@1, lists with commas)", "1..1000",
                      "{\"type\": [\"string\", \"integer\"]}"},
};

/* "a|b|c" with other separators, each word in `quote`s. */
static void add_choices(struct text *out, const char *choices, const char *quote,
                        const char *separator)
{
    for (const char *at = choices; *at != '\0';) {
        size_t length = strcspn(at, "|");
        text_add(out, quote);
        text_add_bytes(out, at, length);
        text_add(out, quote);
        at += length;
        if (*at == '|') {
            text_add(out, separator);
            at++;
        }
    }
}

/* ------------------------------------------------------------------------------- explaining */

/* Forms that hold objects one level below. */
static bool is_container(const struct schema_key *key)
{
    return key->form == SCHEMA_LIST || key->form == SCHEMA_MAP;
}

static void add_type(struct text *out, const struct schema_key *key)
{
    bool is_object = key->object != NULL && key->form != SCHEMA_EITHER;
    const char *before = key->form == SCHEMA_LIST           ? "list of: "
                         : key->form == SCHEMA_MAP          ? "map of names to: "
                         : key->form == SCHEMA_MAP_OF_LISTS ? "map to lists of: "
                         : key->form == SCHEMA_SWEEP        ? "map of paths to lists of values"
                         : key->form == SCHEMA_OPTIONS      ? "map of options to values"
                                                            : "";
    text_add(out, before);
    if (key->form == SCHEMA_SWEEP || key->form == SCHEMA_OPTIONS) {
        return;
    }
    if (is_object) {
        text_add(out, key->form == SCHEMA_ONE_OR_MANY ? "mapping, or a list of them" : "mapping");
        return;
    }
    text_add(out, type_rows[key->type].name);
    if (key->type == SCHEMA_CHOICE) {
        text_add(out, " ");
        add_choices(out, key->choices, "", ", ");
    }
    if (key->word != NULL) {
        text_printf(out, ", or %s", key->word);
    }
    if (key->form == SCHEMA_ONE_OR_MANY) {
        text_add(out, ", or a list of them");
    } else if (key->form == SCHEMA_EITHER) {
        text_add(out, ", or a mapping");
    }
}

static void add_range(struct text *out, const struct schema_key *key)
{
    char low[40];
    char high[40];
    if (key->min == 0 && key->max == 0) {
        return;
    }
    if (key->type == SCHEMA_DURATION) {
        units_format_duration(key->min, low, sizeof(low));
        units_format_duration(key->max, high, sizeof(high));
        text_printf(out, "    range: %s to %s\n", low, high);
    } else if (key->type == SCHEMA_COUNT || key->type == SCHEMA_PPM) {
        const char *unit = key->type == SCHEMA_PPM ? "ppm" : "";
        text_printf(out, "    range: %" PRId64 "%s to %" PRId64 "%s\n", key->min, unit, key->max,
                    unit);
    } else if (key->type == SCHEMA_DECIMAL || key->type == SCHEMA_FACTOR) {
        const char *unit = key->type == SCHEMA_FACTOR ? "x" : "";
        text_printf(out, "    range: %" PRId64 ".%03d%s to %" PRId64 ".%03d%s\n", key->min / 1000,
                    (int)(key->min % 1000), unit, key->max / 1000, (int)(key->max % 1000), unit);
    }
}

static void explain_key(struct text *out, const struct schema_key *key, const char *path)
{
    text_printf(out, "%s: ", path);
    add_type(out, key);
    text_add(out, key->is_required ? " (required)\n" : "\n");
    if (key->description != NULL) {
        text_printf(out, "    %s\n", key->description);
    }
    if (key->initial != NULL && strcmp(key->initial, "{}") != 0 && key->initial[0] != '\0') {
        text_printf(out, "    default: %s\n", key->initial);
    }
    add_range(out, key);
    if (key->example != NULL) {
        text_printf(out, "    example: %s: %s\n", key->name, key->example);
    }
}

/* Recursive over the table, which ends. */
static void explain_object(struct text *out, const struct schema_object *object, const char *path)
{
    for (uint32_t index = 0; index < object->key_count; index++) {
        const struct schema_key *key = &object->keys[index];
        char below[PATH_BYTES];
        snprintf(below, sizeof(below), "%s%s%s", path, path[0] == '\0' ? "" : ".", key->name);
        explain_key(out, key, below);
        if (key->object == NULL || key->is_inherited) {
            continue;
        }
        if (is_container(key)) {
            snprintf(below, sizeof(below), "%s%s%s%s", path, path[0] == '\0' ? "" : ".", key->name,
                     key->form == SCHEMA_MAP ? ".*" : "[]");
        }
        explain_object(out, key->object, below);
    }
}

static bool explain_model(const char *name, const struct catalog *catalog, struct text *out,
                          struct err *err)
{
    const struct sq_model *model = catalog->find_model(catalog->context, name, ".", err);
    if (model == NULL) {
        return false;
    }
    text_printf(out, "model %s (%s)\n    %s\n", model->name, model->version, model->description);
    for (uint32_t index = 0; index < model->option_count; index++) {
        const struct sq_option *option = &model->options[index];
        static const enum schema_type types[] = {
            [SQ_OPTION_DURATION] = SCHEMA_DURATION, [SQ_OPTION_COUNT] = SCHEMA_COUNT,
            [SQ_OPTION_SIZE] = SCHEMA_SIZE,         [SQ_OPTION_PERCENT] = SCHEMA_PERCENT,
            [SQ_OPTION_BOOLEAN] = SCHEMA_BOOLEAN,   [SQ_OPTION_CHOICE] = SCHEMA_CHOICE,
            [SQ_OPTION_TEXT] = SCHEMA_TEXT,
        };
        const struct schema_key key = {.name = option->name,
                                       .type = types[option->type],
                                       .initial = option->initial,
                                       .choices = option->choices,
                                       .is_required = option->initial == NULL,
                                       .description = option->description};
        char path[PATH_BYTES];
        snprintf(path, sizeof(path), "options.%s", option->name);
        explain_key(out, &key, path);
    }
    return true;
}

static const struct schema_key *find_key(const struct schema_object *object, const char *name)
{
    for (uint32_t index = 0; index < object->key_count; index++) {
        if (strcmp(object->keys[index].name, name) == 0) {
            return &object->keys[index];
        }
    }
    return NULL;
}

static bool unknown_key(const struct schema_object *object, const char *name, struct err *err)
{
    const char *names[256];
    ASSERT(object->key_count <= ARRAY_COUNT(names));
    for (uint32_t index = 0; index < object->key_count; index++) {
        names[index] = object->keys[index].name;
    }
    const char *nearest = text_nearest(name, names, object->key_count);
    return nearest != NULL
               ? err_set(err, ERR_INPUT, "unknown key '%s'; did you mean '%s'?", name, nearest)
               : err_set(err, ERR_INPUT, "unknown key '%s'", name);
}

/* Full paths that end with what was asked for: "client.retry.pushback" for "retry.pushback". */
struct tails {
    const char *asked;
    struct text list;
    uint32_t count;
};

/* Recursive over the table, which ends. */
static void find_tails(struct tails *tails, const struct schema_object *object, const char *path)
{
    for (uint32_t index = 0; index < object->key_count; index++) {
        const struct schema_key *key = &object->keys[index];
        char below[PATH_BYTES];
        snprintf(below, sizeof(below), "%s%s%s", path, path[0] == '\0' ? "" : ".", key->name);
        const size_t size = strlen(below);
        const size_t length = strlen(tails->asked);
        if (size > length && below[size - length - 1] == '.' &&
            strcmp(below + size - length, tails->asked) == 0) {
            tails->count++;
            text_printf(&tails->list, "%s'%s'", tails->count == 1 ? "" : ", ", below);
        }
        if (key->object != NULL && !key->is_inherited) {
            find_tails(tails, key->object, below);
        }
    }
}

/* Puts what the path may be the end of in the place of the complaint, if it is any. */
static void suggest_tails(const char *path, struct err *err)
{
    struct tails tails = {.asked = path};
    text_init(&tails.list);
    find_tails(&tails, schema_root(), "");
    if (tails.count > 0 && tails.count <= TAILS_SHOWN) {
        *err = (struct err){0};
        err_set(err, ERR_INPUT, "unknown key '%s'; %s %s%s", path,
                tails.count == 1 ? "did you mean" : "there are", text_of(&tails.list),
                tails.count == 1 ? "?" : "");
    }
    text_release(&tails.list);
}

/* Follows a path from key to key. Names in maps and places in lists may be there or not:
 * "faults.at" and "faults[0].at" are the same key. */
static bool walk(const char *path, const struct schema_key **found, struct err *err)
{
    const struct schema_object *object = schema_root();
    const struct schema_key *key = NULL;
    bool may_name = false; /* the next part may be a name in a map or list */
    for (const char *at = path; *at != '\0';) {
        size_t length = strcspn(at, ".[");
        char part[PATH_BYTES];
        snprintf(part, sizeof(part), "%.*s", (int)(length < 255 ? length : 255), at);
        at += length;
        if (*at == '[') {
            at += strcspn(at, "]");
            at += *at == ']' ? 1 : 0;
        }
        at += *at == '.' ? 1 : 0;
        if (object == NULL && (key->form == SCHEMA_MAP_OF_LISTS || key->form == SCHEMA_SWEEP)) {
            break; /* the rest is a name of the scenario's, with anything in it */
        }
        if (object == NULL) {
            return err_set(err, ERR_INPUT,
                           key->form == SCHEMA_OPTIONS
                               ? "'%s' is an option of a model: try 'model.NAME'"
                               : "'%s' goes on behind a single value",
                           path);
        }
        const struct schema_key *next = find_key(object, part);
        if (next == NULL && may_name) {
            may_name = false;
            continue;
        }
        if (next == NULL) {
            return unknown_key(object, part, err);
        }
        key = next;
        object = key->object;
        may_name = is_container(key) || (key->form == SCHEMA_ONE_OR_MANY && key->object != NULL);
    }
    *found = key;
    return true;
}

bool schema_explain(const char *path, const struct catalog *catalog, FILE *out, struct err *err)
{
    ASSERT(path != NULL);
    ASSERT(out != NULL);
    static const char model[] = "model.";
    static const char preset[] = "preset.";
    if (strcmp(path, "preset") == 0) {
        return preset_explain(NULL, out, err);
    }
    if (strncmp(path, preset, sizeof(preset) - 1) == 0) {
        return preset_explain(path + sizeof(preset) - 1, out, err);
    }
    bool is_fine = true;
    struct text text;
    text_init(&text);
    if (strncmp(path, model, sizeof(model) - 1) == 0) {
        ASSERT(catalog != NULL);
        is_fine = explain_model(path + sizeof(model) - 1, catalog, &text, err);
    } else {
        const struct schema_key *key = NULL;
        is_fine = walk(path, &key, err);
        if (!is_fine) {
            suggest_tails(path, err);
        }
        if (is_fine && key != NULL) {
            explain_key(&text, key, path);
        }
        if (is_fine && (key == NULL || key->object != NULL)) {
            /* A path that ends in the container goes on with its items. */
            size_t length = key == NULL ? 0 : strlen(key->name);
            size_t size = strlen(path);
            bool is_open = key != NULL && is_container(key) && size >= length &&
                           strcmp(path + size - length, key->name) == 0;
            char below[PATH_BYTES];
            snprintf(below, sizeof(below), "%s%s", path,
                     !is_open                  ? ""
                     : key->form == SCHEMA_MAP ? ".*"
                                               : "[]");
            explain_object(&text, key == NULL ? schema_root() : key->object, below);
        }
    }
    fputs(text_of(&text), out);
    text_release(&text);
    return is_fine;
}

/* ------------------------------------------------------------------------------- JSON Schema */

/* Objects in order of first use. */
struct objects {
    const struct schema_object *list[OBJECTS_MAX];
    uint32_t count;
};

static void collect(struct objects *objects, const struct schema_object *object)
{
    for (uint32_t index = 0; index < objects->count; index++) {
        if (objects->list[index] == object) {
            return;
        }
    }
    ASSERT(objects->count < OBJECTS_MAX);
    objects->list[objects->count++] = object;
    for (uint32_t index = 0; index < object->key_count; index++) {
        if (object->keys[index].object != NULL) {
            collect(objects, object->keys[index].object);
        }
    }
}

static void add_scalar_schema(struct text *out, const struct schema_key *key)
{
    if (key->word != NULL) {
        text_add(out, "{\"anyOf\": [{\"const\": ");
        json_add_string(out, key->word);
        text_add(out, "}, ");
    }
    if (key->type == SCHEMA_CHOICE) {
        text_add(out, "{\"enum\": [");
        add_choices(out, key->choices, "\"", ", ");
        text_add(out, "]}");
    } else if (key->type == SCHEMA_COUNT) {
        text_printf(out, "{\"type\": \"integer\", \"minimum\": %" PRId64, key->min);
        if (key->max != 0) {
            text_printf(out, ", \"maximum\": %" PRId64, key->max);
        }
        text_add(out, "}");
    } else {
        text_add(out, type_rows[key->type].json);
    }
    text_add(out, key->word != NULL ? "]}" : "");
}

/* What one item of the key is. */
static void add_item_schema(struct text *out, const struct schema_key *key)
{
    if (key->object != NULL) {
        text_printf(out, "{\"$ref\": \"#/$defs/%s\"}", key->object->name);
    } else {
        add_scalar_schema(out, key);
    }
}

static void add_list_schema(struct text *out, const struct schema_key *key)
{
    text_add(out, "{\"type\": \"array\", \"items\": ");
    add_item_schema(out, key);
    text_add(out, "}");
}

static void add_value_schema(struct text *out, const struct schema_key *key)
{
    switch (key->form) {
    case SCHEMA_ONE:
    case SCHEMA_OBJECT:
        add_item_schema(out, key);
        return;
    case SCHEMA_EITHER:
        text_add(out, "{\"anyOf\": [");
        add_scalar_schema(out, key);
        text_add(out, ", ");
        add_item_schema(out, key);
        text_add(out, "]}");
        return;
    case SCHEMA_LIST:
        add_list_schema(out, key);
        return;
    case SCHEMA_ONE_OR_MANY:
        text_add(out, "{\"anyOf\": [");
        add_item_schema(out, key);
        text_add(out, ", ");
        add_list_schema(out, key);
        text_add(out, "]}");
        return;
    case SCHEMA_MAP:
        text_add(out, "{\"type\": \"object\", \"additionalProperties\": ");
        add_item_schema(out, key);
        text_add(out, "}");
        return;
    case SCHEMA_MAP_OF_LISTS:
        text_add(out, "{\"type\": \"object\", \"additionalProperties\": {\"anyOf\": [");
        add_item_schema(out, key);
        text_add(out, ", ");
        add_list_schema(out, key);
        text_add(out, "]}}");
        return;
    case SCHEMA_OPTIONS:
        text_add(out, "{\"type\": \"object\"}");
        return;
    case SCHEMA_SWEEP:
        text_add(out, "{\"type\": \"object\", \"additionalProperties\": {\"type\": \"array\", "
                      "\"minItems\": 1}}");
        return;
    }
    UNREACHABLE();
}

static void add_object_schema(struct text *out, const struct schema_object *object,
                              const char *indent)
{
    text_printf(out, "%s\"type\": \"object\",\n%s\"additionalProperties\": false,\n", indent,
                indent);
    text_printf(out, "%s\"required\": [", indent);
    bool is_first = true;
    for (uint32_t index = 0; index < object->key_count; index++) {
        /* What may come from the file that is extended cannot be required of this one. */
        if (object->keys[index].is_required && object != schema_root()) {
            text_add(out, is_first ? "" : ", ");
            json_add_string(out, object->keys[index].name);
            is_first = false;
        }
    }
    text_printf(out, "],\n%s\"properties\": {\n", indent);
    for (uint32_t index = 0; index < object->key_count; index++) {
        const struct schema_key *key = &object->keys[index];
        text_printf(out, "%s  ", indent);
        json_add_string(out, key->name);
        text_add(out, ": {\"allOf\": [");
        add_value_schema(out, key);
        text_add(out, "]");
        if (key->description != NULL) {
            text_add(out, ", \"description\": ");
            json_add_string(out, key->description);
        }
        bool is_scalar = key->initial != NULL && strchr("{[", key->initial[0]) == NULL;
        if (is_scalar || (key->initial != NULL && key->initial[0] == '\0')) {
            text_add(out, ", \"default\": ");
            json_add_scalar(out, key->initial);
        }
        if (key->example != NULL && key->form == SCHEMA_ONE) {
            text_add(out, ", \"examples\": [");
            json_add_scalar(out, key->example);
            text_add(out, "]");
        }
        text_add(out, index + 1 < object->key_count ? "},\n" : "}\n");
    }
    text_printf(out, "%s}\n", indent);
}

void schema_json(FILE *file)
{
    ASSERT(file != NULL);
    struct objects objects = {.count = 0};
    collect(&objects, schema_root());
    struct text text;
    text_init(&text);
    text_add(&text, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                    "  \"title\": \"squall scenario\",\n  \"$defs\": {\n");
    for (uint32_t index = 1; index < objects.count; index++) {
        text_printf(&text, "    \"%s\": {\n", objects.list[index]->name);
        add_object_schema(&text, objects.list[index], "      ");
        text_add(&text, index + 1 < objects.count ? "    },\n" : "    }\n");
    }
    text_add(&text, "  },\n");
    add_object_schema(&text, schema_root(), "  ");
    text_add(&text, "}\n");
    fputs(text_of(&text), file);
    text_release(&text);
}
