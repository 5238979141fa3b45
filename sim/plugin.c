/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dlopen with all symbols resolved at once, so that a missing one is an error here and not in the
 * middle of a run. A pointer of a table that is not there yet is no symbol: what a plug-in of a
 * newer header would find behind the end of an older squall's tables is garbage, and only its
 * version tells. */
#include "sim/plugin.h"

#include <assert.h>
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

bool plugin_check(const struct sq_model *model, const char *path, struct err *err)
{
    if (model == NULL) {
        return err_set(err, ERR_INPUT, "plug-in '%s': " SQ_PLUGIN_SYMBOL "() returned nothing",
                       path);
    }
    if (model->abi_version < PLUGIN_ABI_OLDEST || model->abi_version > SQ_ABI_VERSION) {
        return err_set(
            err, ERR_INPUT,
            "plug-in '%s' was built for ABI version %u, this squall has version %u; rebuild it",
            path, model->abi_version, SQ_ABI_VERSION);
    }
    if (model->size != sizeof(*model)) {
        return err_set(err, ERR_INPUT,
                       "plug-in '%s': its struct sq_model has %u bytes, expected %zu; rebuild it",
                       path, model->size, sizeof(*model));
    }
    if (model->name == NULL || model->boot == NULL) {
        return err_set(err, ERR_INPUT,
                       "plug-in '%s': the model needs at least a name and a boot function", path);
    }
    for (uint32_t i = 0; i < model->option_count; i++) {
        if (model->options == NULL || model->options[i].name == NULL) {
            return err_set(err, ERR_INPUT, "plug-in '%s': its option %u has no name", path, i + 1);
        }
    }
    return true;
}

const struct sq_model *plugin_load(const char *path, struct err *err)
{
    if (access(path, R_OK) != 0) {
        err_set(err, ERR_INPUT, "cannot read plug-in '%s'", path);
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        err_set(err, ERR_INPUT, "cannot load plug-in '%s': %s", path, dlerror());
        return NULL;
    }
    const struct sq_model *(*entry)(void) = NULL;
    void *symbol = dlsym(object, SQ_PLUGIN_SYMBOL);
    if (symbol == NULL) {
        err_set(err, ERR_INPUT, "plug-in '%s' exports no " SQ_PLUGIN_SYMBOL "()", path);
        dlclose(object);
        return NULL;
    }
    static_assert(sizeof(entry) == sizeof(symbol), "POSIX: a function pointer fits a data pointer");
    memcpy(&entry, &symbol, sizeof(entry));
    const struct sq_model *model = entry();
    return plugin_check(model, path, err) ? model : NULL;
}
