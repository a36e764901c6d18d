import { addRouterTraits, type RouterConfig, type RouterTraits, type RouterType } from "../protocol/model.ts";
import { declareRouter, type RouterDeclaration } from "./declarations.ts";
import type { Router } from "./router.ts";
import { sampleTop1Router } from "./sampleTop1.ts";
import { softRouter } from "./soft.ts";
import { switchRouter } from "./switch.ts";
import { topKRouter } from "./topK.ts";

type RouterOf = { [Type in RouterType]: (config: Extract<RouterConfig, { type: Type }>) => Router };
type MakeRouter = (config: RouterConfig) => Router;

/** One entry for each router of the schema; the compiler asks for those that are missing. */
const routers = {
  "top-k": topKRouter,
  switch: switchRouter,
  soft: softRouter,
  "sample-top-1": sampleTop1Router,
} satisfies RouterOf;
const made: Record<string, MakeRouter> = routers as Record<RouterType, unknown> as Record<string, MakeRouter>;

/** The router that an experiment asks for. @throws Error for a type that nobody has added */
export function router(config: RouterConfig): Router {
  const make = made[config.type];
  if (!make) throw new Error(`there is no router of the type "${config.type}"`);
  return make(config);
}

/** A whole router: what every process knows of it, what it has, and what it does. */
export interface RouterParts {
  traits: RouterTraits;
  declaration: RouterDeclaration;
  make: MakeRouter;
}

/** Adds a type of router beside those of the experiment file's schema. @throws Error where there is one of that type */
export function addRouter(type: string, { traits, declaration, make }: RouterParts): void {
  addRouterTraits(type, traits);
  declareRouter(type, declaration);
  made[type] = make;
}
