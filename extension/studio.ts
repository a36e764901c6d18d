import type { ExtensionContext } from "vscode";
import type { Backend } from "./backend.ts";
import type { Experiments } from "./experiments.ts";

/** What every part of the extension may use. */
export interface Studio {
  context: ExtensionContext;
  backend: Backend;
  experiments: Experiments;
}
