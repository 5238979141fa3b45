/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The little JSON that the input layer writes: strings, and scalars of a scenario as JSON values.
 */
#ifndef SQUALL_INPUT_JSON_H
#define SQUALL_INPUT_JSON_H

#include "sim/base/text.h"

/* In quotes, escaped (RFC 8259); UTF-8 stays as it is. */
void json_add_string(struct text *out, const char *string);
/* A number or boolean when the text is one, else a string. */
void json_add_scalar(struct text *out, const char *string);

#endif
