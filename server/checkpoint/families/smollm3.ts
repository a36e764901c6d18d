import * as z from "zod";
import { readBiases, readDecoder, readWindow, writeBiases, writeDecoder, writeWindow } from "./decoder.ts";
import { type Family, layersWhere } from "./family.ts";

/** SmolLM3: some layers rotate nothing. */
export const smollm3: Family = {
  type: "smollm3",
  architecture: "SmolLM3ForCausalLM",
  read(found) {
    const config = readDecoder(found, { kvHeads: 4, ropeTheta: 2_000_000, tied: true });
    const { layers } = config;
    const rotates = found.get("no_rope_layers", z.array(z.int().min(0).max(1)));
    if (rotates && rotates.length !== layers)
      found.refuse("no_rope_layers", `describes ${rotates.length} layers, but \`num_hidden_layers\` is ${layers}`);
    const interval = found.size("no_rope_layer_interval", 4);
    const withoutRope = layersWhere(layers, (layer) => (rotates ? rotates[layer] === 0 : (layer + 1) % interval === 0));
    const uses = found.boolean("use_sliding_window", false);
    return {
      ...config,
      family: "smollm3",
      ...readBiases(found),
      withoutRope,
      ...(uses ? readWindow(found, layers, (layer) => withoutRope.includes(layer)) : {}),
    };
  },
  write(config) {
    const { head_dim: _, ...keys } = writeDecoder(config);
    return {
      ...keys,
      ...writeBiases(config),
      no_rope_layers: Array.from({ length: config.layers }, (_, layer) =>
        config.withoutRope?.includes(layer) ? 0 : 1,
      ),
      ...writeWindow(config),
    };
  },
};
