import type { Objective } from "../../protocol/stage.ts";
import { Table } from "../../protocol/table.ts";
import { nextToken } from "./nextToken.ts";
import type { MakePrograms } from "./stepPrograms.ts";

/** The training objectives and the programs that compute their steps. Loop, resuming and records are shared by all. */
export const objectives = new Table<MakePrograms>("objective", {
  "next-token": nextToken,
} satisfies Record<Objective["type"], MakePrograms>);
