import { expertNames } from "../parameters/names.ts";
import type { ExpertFacts, InspectionParams } from "../protocol/inspect.ts";
import { heldOutRouting, type Watch } from "./heldOut.ts";
import { particularTokens } from "./particularTokens.ts";
import type { WarmModel } from "./warmModels.ts";
import { weightDistances } from "./weightDistances.ts";

/** Facts about an expert; see `inspections.expert`. */
export async function expertFacts(
  model: WarmModel,
  { expert: name, layer }: Omit<InspectionParams<"expert">, "model">,
  watch: Watch,
): Promise<ExpertFacts> {
  const { opened, found } = model;
  const expert = model.expert(name);
  const { layers } = opened.config.moe!;
  const positions = layer === undefined ? [...layers.keys()] : [model.position(layer)];
  const windows = await heldOutRouting(model, found, watch);
  const options = { config: opened.config, tokenizer: opened.tokenizer, expert, positions };
  return {
    layers,
    parameters: expertParameters(model, expert),
    distances: await weightDistances(found, opened, expert),
    input: particularTokens(windows, { ...options, by: "input" }),
    predicted: particularTokens(windows, { ...options, by: "predicted" }),
    tokens: windows.reduce((sum, { ids }) => sum + ids.length, 0),
  };
}

function expertParameters({ opened: { config, parameters } }: WarmModel, expert: number): number {
  let count = 0;
  for (const layer of config.moe!.layers) {
    for (const name of Object.values(expertNames(layer, expert)) as string[]) {
      for (const kind of ["weight", "bias"]) count += parameters.get(`${name}.${kind}`)?.data.length ?? 0;
    }
  }
  return count;
}
