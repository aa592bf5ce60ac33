/** `neira:host/io` for the model. */
export const log = () => {};
