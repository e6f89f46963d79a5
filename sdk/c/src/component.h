/* What the parts that are only in a component share: the bindings, which are made for each plugin from its world. */
#ifndef GATEHOUSE_COMPONENT_H
#define GATEHOUSE_COMPONENT_H

#include "internal.h"
#include "plugin.h"

/* A string for the gateway; of NULL the empty one. */
plugin_string_t gh_outgoing(const char *text);

#endif
