import type { RouterConfig, RouterType } from "../protocol/model.ts";
import type { Router } from "./router.ts";
import { sampleTop1Router } from "./sampleTop1.ts";
import { softRouter } from "./soft.ts";
import { switchRouter } from "./switch.ts";
import { topKRouter } from "./topK.ts";

type RouterOf = { [Type in RouterType]: (config: Extract<RouterConfig, { type: Type }>) => Router };

/** One entry a router of the schema; the compiler asks for those that are missing. */
const routers: RouterOf = {
  "top-k": topKRouter,
  switch: switchRouter,
  soft: softRouter,
  "sample-top-1": sampleTop1Router,
};

/** The router an experiment asks for. */
export const router = (config: RouterConfig): Router =>
  (routers[config.type] as (config: RouterConfig) => Router)(config);
