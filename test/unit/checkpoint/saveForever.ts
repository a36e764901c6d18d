import { loadCheckpoint } from "../../../server/checkpoint/loadCheckpoint.ts";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { denseConfig, moeConfig } from "./files.ts";
import { constantModel } from "./models.ts";

/** Saves checkpoints, and says so, until it is killed: every third of another shape, so that the whole folder is replaced too. */
const folder = process.argv[2]!;
const before = await loadCheckpoint(folder, parameterShapes);
let value = before.tensors.get("model.norm.weight")!.data[0]!;
for (;;) {
  value++;
  await saveCheckpoint(folder, constantModel(value % 3 === 0 ? moeConfig : denseConfig, value));
  process.stdout.write("saved\n");
}
