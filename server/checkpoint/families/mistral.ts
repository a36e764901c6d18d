import { readDecoder, readWindow, writeDecoder } from "./decoder.ts";
import type { Family } from "./family.ts";

/** Mistral 7B, Nemo and Small: a window in all layers, or in none. */
export const mistral: Family = {
  type: "mistral",
  architecture: "MistralForCausalLM",
  read(found) {
    const config = readDecoder(found, { kvHeads: 8 });
    return { ...config, family: "mistral", ...readWindow(found, config.layers, () => true) };
  },
  write: (config) => ({ ...writeDecoder(config), sliding_window: config.window?.size ?? null }),
};
