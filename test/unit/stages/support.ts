import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { loadCheckpoint } from "../../../server/checkpoint/loadCheckpoint.ts";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { hashFiles } from "../../../server/data/files.ts";
import { prepareData } from "../../../server/data/prepare.ts";
import { byteLevelFiles } from "../../../server/data/tokenizers/build.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import { initialParameters, parameterShapes } from "../../../server/model/parameters.ts";
import { randomStream } from "../../../server/model/random.ts";
import { StopRequested } from "../../../server/protocol/errors.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import type { DataSpec, StageSpec, TokenizerSpec, TrainingConfig } from "../../../server/protocol/stage.ts";
import { type StagePaths, stagePathsIn } from "../../../server/runs/layout.ts";
import type { StageContext } from "../../../server/stages/context.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import type { Weights } from "../model/reference.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is gone after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "btx-stages-"));
  folders.push(folder);
  return folder;
}

export interface Surroundings {
  /** Role to the parent's folder. */
  parents?: Record<string, string>;
  folder?: string;
  engine?: Engine;
  /** Asked at every breath. */
  stopRequested?: () => boolean;
}

/** The surroundings of a stage's work, without a process. */
export function contextOf<Spec extends StageSpec>(spec: Spec, around: Surroundings = {}): StageContext<Spec> {
  const { parents = {}, folder = temporaryFolder(), stopRequested = () => false, engine = cpuEngine(1) } = around;
  mkdirSync(folder, { recursive: true });
  return {
    name: spec.kind,
    spec,
    paths: stagePathsIn(folder),
    engine,
    stopRequested,
    progress: () => {},
    log: () => {},
    written: () => {},
    parent(role): StagePaths {
      const parent = parents[role];
      if (!parent) throw new Error(`no parent "${role}"`);
      return stagePathsIn(parent);
    },
    async yieldToSignals() {
      if (stopRequested()) throw new StopRequested();
    },
  };
}

/** A small model of the vocabulary of the `bytes` tokenizer. */
export const tiny: ModelConfig = {
  vocab: 257,
  context: 16,
  layers: 2,
  hidden: 8,
  heads: 2,
  kvHeads: 1,
  headSize: 4,
  ffn: 12,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
};

export const untrained = (config: ModelConfig, randomSeed: number): Parameters => initialParameters(config, randomSeed);

/** Parameters with values far from 0, biases and norms included, so that every part matters. */
export function randomModel(config: ModelConfig, seed: number): Parameters {
  return new Map(
    [...parameterShapes(config)].map(([name, shape]) => {
      const random = randomStream(seed, name);
      const centre = name.endsWith("norm.weight") ? 1 : 0;
      const size = shape.reduce((product, length) => product * length, 1);
      return [name, { shape, data: Float32Array.from({ length: size }, () => centre + 0.4 * random.normal()) }];
    }),
  );
}

/** Parameters as the reference model of plain loops reads them. */
export const toWeights = (parameters: Parameters): Weights =>
  new Map(
    [...parameters].map(([name, { shape, data }]) => {
      const width = shape.at(-1)!;
      return [name, Array.from({ length: data.length / width }, (_, i) => [...data.slice(i * width, (i + 1) * width)])];
    }),
  );

/** A tokenizer's folder: bytes, or bytes and the given merges. */
export function tokenizerFolder(merges: [string, string][] = []): string {
  const folder = temporaryFolder();
  const files = byteLevelFiles(merges);
  writeFileSync(join(folder, "tokenizer.json"), files.tokenizer);
  writeFileSync(join(folder, "tokenizer_config.json"), files.config);
  return folder;
}

/** The folder of a stage that has left this model behind. */
export async function stageWithModel(
  config: ModelConfig,
  parameters: Parameters,
  tokenizer = tokenizerFolder(),
): Promise<string> {
  const folder = temporaryFolder();
  const tensors = parameters as Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;
  await saveCheckpoint(stagePathsIn(folder).checkpoint, {
    config,
    tensors,
    endOfText: 256,
    tokenizerFolder: tokenizer,
  });
  return folder;
}

export const savedModel = (context: StageContext) => loadCheckpoint(context.paths.checkpoint);

export interface DomainText {
  /** Texts, or records for a template. */
  documents: (string | object)[];
  text?: string;
  answerAfter?: string;
}

/** The folder of a data stage, half of the documents held out, with the tokenizer of a folder or else `bytes`. */
export async function stageWithData(domains: Record<string, DomainText>, tokenizerIn?: string): Promise<string> {
  const source = temporaryFolder();
  const tokenizer: TokenizerSpec = tokenizerIn
    ? { type: "file", path: tokenizerIn, sha256: await hashFiles([join(tokenizerIn, "tokenizer.json")]) }
    : { type: "bytes" };
  const spec: DataSpec = { kind: "data", tokenizer, domains: {}, heldOut: 0.5 };
  for (const [name, { documents, text = "text", answerAfter }] of Object.entries(domains)) {
    const file = join(source, `${name}.jsonl`);
    const line = (document: string | object) =>
      `${JSON.stringify(typeof document === "string" ? { text: document } : document)}\n`;
    writeFileSync(file, documents.map(line).join(""));
    const sha256 = await hashFiles([file]);
    spec.domains[name] = { files: [file], sha256, text, ...(answerAfter ? { answerAfter } : {}) };
  }
  const folder = temporaryFolder();
  await prepareData(spec, folder);
  return folder;
}

/** Documents of words made of the given letters. */
export function documentsOf(letters: string, count: number, length: number, seed = 1): string[] {
  const random = randomStream(seed, letters);
  const letter = () => letters[Math.floor(random.uniform() * letters.length)]!;
  return Array.from({ length: count }, () => Array.from({ length }, letter).join(""));
}

export const training: TrainingConfig = {
  batch: 4,
  microBatch: 4,
  learningRate: 1e-2,
  finalLearningRate: 0.1,
  warmup: 2,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  clip: 1,
};
