import type { Routing } from "../routers/router.ts";
import type { Tensors } from "./program.ts";

/** What programs tell of single tokens: which experts they chose. */

/** Names of the results of the Mixture-of-Experts layer at `position` among these layers. */
export const expertsResult = (position: number): string => `experts.${position}`;
export const gatesResult = (position: number): string => `gates.${position}`;

/** Experts [N, K] int32 and gates [N, K] of each layer by these names; K may differ by layer. */
export const routingResults = (routings: Routing[]): Tensors =>
  Object.fromEntries(
    routings.flatMap(({ experts, gates }, position) => [
      [expertsResult(position), experts],
      [gatesResult(position), gates],
    ]),
  );
