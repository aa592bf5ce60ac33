export const CARD_PAGE_BYTES = 4096;
export const LONGEST_STORE_BYTES = 16;
export const METER_MODULE = 'neira';
export const FUEL = 'fuel';
export const MEMORY = '$neira:memory';
export const CARDS = '$neira:cards';
export const GLOBAL = '$neira:global';
export const FUEL_PER_UNIT = 10;
