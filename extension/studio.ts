import type { ExtensionContext } from "vscode";
import type { Backend } from "./backend.ts";
import type { Experiments } from "./experiments.ts";
import type { Routing } from "./routing/routing.ts";
import type { Samples } from "./samples.ts";
import type { DevicesTree } from "./tree/devices.ts";
import type { ExperimentsTree } from "./tree/experiments.ts";

/** Services shared by all parts of the extension. */
export interface Studio {
  context: ExtensionContext;
  backend: Backend;
  experiments: Experiments;
  tree: ExperimentsTree;
  devices: DevicesTree;
  samples: Samples;
  routing: Routing;
}
