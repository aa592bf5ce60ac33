/** What a metered module and the engine agree on. */
import { fuelImport, OWN_PREFIX } from './names.ts';

/** Bytes of guest memory that share a card: 2^12. */
export const CARD_SHIFT = 12;
export const CARD_PAGE_BYTES = 1 << CARD_SHIFT;
/** A store marks the card where it begins; so far it may reach into the next page. */
export const LONGEST_STORE_BYTES = 16;

export const METER_MODULE = fuelImport.module;
export const FUEL = fuelImport.name;
export const MEMORY = `${OWN_PREFIX}memory0`;
export const CARDS = `${OWN_PREFIX}cards0`;
/** With a number behind it. */
export const GLOBAL = `${OWN_PREFIX}global`;

/**
 * Fuel of a component for one unit of a budget, of which a millisecond of `cpu_ms` has 100,000 (quickjs/layout.ts): a
 * constant, so that a limit means the same on every machine and in every replay.
 */
export const FUEL_PER_UNIT = 10;
