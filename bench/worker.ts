import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { dense, trainingStep } from "./program.ts";

/** Trains the dense model with so many threads: told a number of seconds, it answers with its tokens a second. */
const step = await trainingStep(dense, cpuEngine(Number(process.argv[2])));
await step.run();
process.on("message", async (seconds) => {
  const start = performance.now();
  let tokens = 0;
  let elapsed = 0;
  while (elapsed < Number(seconds)) {
    await step.run();
    tokens += step.tokens;
    elapsed = (performance.now() - start) / 1000;
  }
  process.send!(tokens / elapsed);
});
process.send!(0);
