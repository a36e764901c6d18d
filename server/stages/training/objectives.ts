import type { Objective } from "../../protocol/stage.ts";
import { nextToken } from "./nextToken.ts";
import type { MakePrograms } from "./stepPrograms.ts";

/** What phases minimise. The loop, resuming and records are the same for all of them. */
const objectives: Record<string, MakePrograms> = {
  "next-token": nextToken,
} satisfies Record<Objective["type"], MakePrograms>;

/** @throws Error for a type that nobody has added */
export function programsFor({ type }: Objective): MakePrograms {
  const make = objectives[type];
  if (!make) throw new Error(`there is no objective of the type "${type}"`);
  return make;
}

/** Adds an objective to the table. */
export function addObjective(type: string, make: MakePrograms): void {
  if (objectives[type]) throw new Error(`there is an objective of the type "${type}" already`);
  objectives[type] = make;
}
