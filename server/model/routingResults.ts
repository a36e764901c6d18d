import type { Tensors } from "../ops/program.ts";
import { expertsResult, gatesResult } from "../protocol/routingStatistics.ts";
import type { Routing } from "../routers/router.ts";

/** What programs tell of single tokens: which experts they chose. */

/** Experts [N, K] int32 and gates [N, K] of each layer by these names; K may differ by layer. */
export const routingResults = (routings: Routing[]): Tensors =>
  Object.fromEntries(
    routings.flatMap(({ experts, gates }, position) => [
      [expertsResult(position), experts],
      [gatesResult(position), gates],
    ]),
  );
