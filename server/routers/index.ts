import { type RouterConfig, type RouterTraits, type RouterType, traitsOfRouters } from "../protocol/model.ts";
import { Table } from "../protocol/table.ts";
import { declarations, type RouterDeclaration } from "./declarations.ts";
import type { Router } from "./router.ts";
import { sampleTop1Router } from "./sampleTop1.ts";
import { softRouter } from "./soft.ts";
import { switchRouter } from "./switch.ts";
import { topKRouter } from "./topK.ts";

type RouterOf = { [Type in RouterType]: (config: Extract<RouterConfig, { type: Type }>) => Router };
type MakeRouter = (config: RouterConfig) => Router;

/** One entry for each router type of the schema; the compiler reports missing ones. */
const routers = {
  "top-k": topKRouter,
  switch: switchRouter,
  soft: softRouter,
  "sample-top-1": sampleTop1Router,
} satisfies RouterOf;
const made = new Table<MakeRouter>("router", routers as Record<RouterType, unknown> as Record<string, MakeRouter>);

/** The router for a configuration. @throws Error if no router of this type was added */
export const router = (config: RouterConfig): Router => made.get(config.type)(config);

/** Everything that defines a router: its traits, its parameters and its implementation. */
export interface RouterParts {
  traits: RouterTraits;
  declaration: RouterDeclaration;
  make: MakeRouter;
}

/** Adds a type of router that is not in the experiment file's schema. @throws Error if the type already exists */
export function addRouter(type: string, { traits, declaration, make }: RouterParts): void {
  traitsOfRouters.add(type, traits);
  declarations.add(type, declaration);
  made.add(type, make);
}
