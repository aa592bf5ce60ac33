/** The modules of host functions have what they need of these; code of the plugin finds neither. */
delete (globalThis as Record<string, unknown>)['host'];
delete (globalThis as Record<string, unknown>)['__neira'];
