import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { MeasuredStep } from "../program.ts";

export interface PeerOptions {
  framework: "torch" | "jax";
  /** Through torch.compile. */
  compile?: boolean;
  /** JAX: every expert on all rows, in place of `ragged_dot` on the rows of each. */
  everyRow?: boolean;
  /** Under bfloat16 autocast, with float32 parameters. */
  bf16?: boolean;
  device: string;
  threads: number;
}

/** A peer's answers: of itself when it is ready, then the loss of each step, or why there is none. */
interface Answer {
  version?: string;
  device?: string;
  loss?: number;
  error?: string;
}

/** No kernel for an old OpenBLAS, which slows a current one, and the same number of threads in every library. */
function environment(threads: number): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE: _type, OPENBLAS_L2_SIZE: _size, ...inherited } = process.env;
  // NPROC is the size of XLA's thread pools.
  return { ...inherited, OMP_NUM_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}`, NPROC: `${threads}` };
}

/** Reads answers one by one; ends with an error that tells the reason where there is none. */
function answersOf(child: ChildProcess): () => Promise<Answer> {
  let said = "";
  child.stderr!.on("data", (text) => {
    said = `${said}${text}`.slice(-4000);
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    const answer: Answer = done ? { error: said.trim().split("\n").at(-1) || "it ended" } : JSON.parse(value);
    if (answer.error) throw new Error(answer.error);
    return answer;
  };
}

/** A training step in a Python process that stays alive. */
export interface Peer extends Pick<MeasuredStep, "run" | "loss" | "flops" | "tokens" | "dispose"> {
  version: string;
  /** Name of the device that it computes on. */
  device: string;
}

/** A program that answers as worker.py does, and what it is called with. */
export interface PeerProgram {
  program: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

/** worker.py on a case, a folder that peers.ts wrote. */
export function pythonPeer(
  { python, scripts, folder }: { python: string; scripts: string; folder: string },
  { framework, compile, everyRow, bf16, device, threads }: PeerOptions,
): PeerProgram {
  const flags = Object.entries({ "--compile": compile, "--every-row": everyRow, "--bf16": bf16 })
    .filter(([, wanted]) => wanted)
    .map(([flag]) => flag);
  const options = ["--device", device, "--threads", `${threads}`, ...flags];
  return {
    program: python,
    args: ["-B", join(scripts, "worker.py"), framework, folder, ...options],
    env: environment(threads),
  };
}

/**
 * Starts a program that takes the same step as ours takes; `step` is what one of them does.
 *
 * @throws Error with the reason, in a sentence, where it cannot start.
 */
export async function startPeer(
  { program, args, env }: PeerProgram,
  { flops, tokens }: Pick<MeasuredStep, "flops" | "tokens">,
): Promise<Peer> {
  const child = spawn(program, args, { env });
  const next = answersOf(child);
  const { version = "", device: name = "" } = await next();
  let loss = Number.NaN;
  return {
    version,
    device: name,
    flops,
    tokens,
    get loss() {
      return loss;
    },
    async run() {
      child.stdin.write("\n");
      loss = (await next()).loss ?? Number.NaN;
    },
    async dispose() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
