import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { median } from "./measure.ts";

const worker = fileURLToPath(new URL("./worker.js", import.meta.url));

/** Starts a process that trains the dense model with so many threads, and waits until it is ready. */
async function ready(threads: number): Promise<ChildProcess> {
  const child = fork(worker, [String(threads)]);
  await message(child);
  return child;
}

const message = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once("message", (value) => resolve(Number(value)));
    child.once("exit", (code) => reject(new Error(`a worker ended with code ${code}`)));
  });

/** Tokens a second of a process that trains for so long. */
function rate(child: ChildProcess, seconds: number): Promise<number> {
  child.send(seconds);
  return message(child);
}

export interface Parallel {
  /** Tokens a second of three experts at once, added up, and of one with all cores. */
  three: number;
  one: number;
  /** three / one, the median over rounds. */
  ratio: number;
}

/** Three experts in three processes that share the cores, against one process with all of them. */
export async function parallelExperts(cores: number, count: number, seconds: number): Promise<Parallel> {
  const one = await ready(cores);
  const three = await Promise.all([0, 1, 2].map(() => ready(Math.max(1, Math.floor(cores / 3)))));
  const rates: { three: number; one: number }[] = [];
  for (let round = 0; round < count; round++) {
    const alone = await rate(one, seconds);
    const together = await Promise.all(three.map((child) => rate(child, seconds)));
    rates.push({ one: alone, three: together.reduce((sum, each) => sum + each, 0) });
  }
  for (const child of [one, ...three]) child.disconnect();
  return {
    three: median(rates.map((round) => round.three)),
    one: median(rates.map((round) => round.one)),
    ratio: median(rates.map((round) => round.three / round.one)),
  };
}
