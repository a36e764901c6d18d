import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type Choice, choiceText } from "../devices/choose.ts";
import { diskError } from "../disk/errors.ts";
import { thisMachine } from "../experiment/checkMemory.ts";
import { deviceEnvironment } from "../install/environment.ts";
import { type StagePaths, stagePaths } from "../runs/layout.ts";
import { lockHolder } from "../runs/lock.ts";
import { isRunning, processSpace } from "../runs/process.ts";
import { stopStage } from "../runs/stop.ts";
import { exitCodes, type StageOptions } from "../stages/process.ts";
import { type Executor, type Place, type StageExit, type StageJob, stageOptions } from "./executor.ts";

/** Runs stages as processes of this machine, which stop by themselves when this process is gone. */

/** The program next to this one in the same build. */
const program = fileURLToPath(new URL("./stage.js", import.meta.url));

/** On Windows, any signal ends a process at once. */
const hasSignals = process.platform !== "win32";

/** This machine. @param cores to use; default: all */
export const localPlace = (choice: Choice, cores = availableParallelism()): Place => ({
  cores,
  memory: thisMachine().free,
  devices: choice.devices.map(({ engine, device, name, driver }) => ({
    engine,
    device,
    name: driver === undefined ? name : `${name}, driver ${driver}`,
  })),
  why: choice.why,
  text: choiceText(choice),
});

export const localExecutor = (place: Place): Executor => ({
  place,
  async occupancy(root, { key }) {
    const holder = lockHolder(stagePaths(root, key).folder);
    if (!holder) return "free";
    const isOrphan = holder.space === processSpace && holder.runner !== undefined && !isRunning(holder.runner);
    return isOrphan ? "ending" : "busy";
  },
  async start({ root, run, stage, share }) {
    const options: StageOptions = { ...stageOptions(place, share), runner: process.pid };
    const child = spawn(process.execPath, [program, root, run, stage.name, JSON.stringify(options)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { ...process.env, ...deviceEnvironment(options.device.device) },
    });
    return jobOf(child, stagePaths(root, stage.key));
  },
});

function jobOf(child: ChildProcess, paths: StagePaths): StageJob {
  let ended = false;
  const end = (signal: "SIGTERM" | "SIGKILL") => {
    ended = true;
    child.kill(signal);
  };
  return {
    exit: exitOf(child, () => ended),
    async stop() {
      if (hasSignals) end("SIGTERM");
      else await stopStage(paths);
    },
    kill: () => end("SIGKILL"),
  };
}

/** Signals that ask to stop: SIGINT from Ctrl-C, which reaches all processes of a terminal, and SIGTERM. */
const requests: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGTERM"]);

function messageOf(error: Error): string {
  const { message } = diskError(error, process.execPath, "read") as Error;
  return message;
}

function exitOf(child: ChildProcess, stopAsked: () => boolean): Promise<StageExit> {
  let output = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-4000);
  });
  return new Promise((resolve) => {
    child.on("error", (error) =>
      resolve({ status: "failed", error: `its process could not be started: ${messageOf(error)}` }),
    );
    child.on("close", (code, signal) => {
      if (code === exitCodes.done) resolve({ status: "done" });
      else if (code === exitCodes.busy) resolve({ status: "busy" });
      // While a process is still starting, the signal itself ends it.
      else if (code === exitCodes.stopped || (signal && (requests.has(signal) || stopAsked())))
        resolve({ status: "stopped" });
      else if (signal) {
        const hint = signal === "SIGKILL" ? " (the system does this when memory runs out)" : "";
        resolve({ status: "failed", error: `its process was ended by ${signal}${hint}` });
      } else resolve({ status: "failed", error: output.trim() || `its process ended with code ${code}` });
    });
  });
}
