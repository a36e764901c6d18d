import type { Objective } from "../../protocol/stage.ts";
import { Table } from "../../protocol/table.ts";
import { nextToken } from "./nextToken.ts";
import type { MakePrograms } from "./stepPrograms.ts";

/** What phases minimise, and the programs that compute their steps. The loop, resuming and records are the same for all. */
export const objectives = new Table<MakePrograms>("objective", {
  "next-token": nextToken,
} satisfies Record<Objective["type"], MakePrograms>);
