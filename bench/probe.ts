import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TokenFile } from "../server/data/tokenFile.ts";
import { parseSealed } from "../server/disk/seal.ts";
import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { Store } from "../server/engine/store.ts";
import type { ModelConfig } from "../server/protocol/model.ts";
import { routingProbeIndexSchema } from "../server/protocol/routingFiles.ts";
import { stagePathsIn } from "../server/runs/layout.ts";
import { RoutingProbe } from "../server/stages/training/routingProbe.ts";
import { type Measured, startingWeights, tokenIds } from "./program.ts";

/** A probe that is made again and again. */
export interface MeasuredProbe extends Omit<Measured, "compileMs"> {
  /** Steps of training from one to the next, where they are as few as they ever are. */
  every: number;
}

const domains = ["a", "b", "c"];

/** The routing probe as training has it, between steps of `tokensPerStep` tokens: a window of each of three domains. */
export async function routingProbe(
  config: ModelConfig,
  threads: number,
  tokensPerStep: number,
): Promise<MeasuredProbe> {
  const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
  const store = new Store();
  for (const [name, { shape, data }] of startingWeights(config)) store.set(name, shape, data);
  const length = config.context + 1;
  const ids = tokenIds(config, domains.length);
  const files = domains.map((domain, at) => {
    const path = join(folder, `${domain}.tokens`);
    writeFileSync(path, Uint16Array.from(ids.subarray(at * length, (at + 1) * length)));
    return new TokenFile(path, { length, dtype: "u16", endOfText: 0, vocab: 65_536 });
  });
  const data = { split: (domain: string) => files[domains.indexOf(domain)]! };
  const paths = stagePathsIn(folder);
  const engine = cpuEngine(threads);
  const probe = (await RoutingProbe.open({ paths, config, data, domains, steps: 20, tokensPerStep, engine }, false))!;
  const { every } = parseSealed(
    readFileSync(paths.routingProbeIndex, "utf8"),
    routingProbeIndexSchema,
    paths.routingProbeIndex,
  );
  return {
    every,
    run: () => probe.after(0, undefined, store),
    // Of no use for a share of seconds, which is wanted.
    flops: 1,
    tokens: domains.length * config.context,
    async dispose() {
      await probe.close();
      for (const file of files) file.close();
      rmSync(folder, { recursive: true });
    },
  };
}
