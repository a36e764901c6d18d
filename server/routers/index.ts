import type { RouterConfig } from "../protocol/model.ts";
import type { Router } from "./router.ts";
import { topKRouter } from "./topK.ts";

type RouterOf = { [Type in RouterConfig["type"]]: (config: Extract<RouterConfig, { type: Type }>) => Router };

/** One entry a router of the schema; the compiler asks for those that are missing. */
const routers: RouterOf = {
  "top-k": topKRouter,
};

/** The router an experiment asks for. */
export const router = (config: RouterConfig): Router => routers[config.type](config);
