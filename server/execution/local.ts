import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { deviceEnvironment } from "../install/environment.ts";
import { exitCodes, type StageAsked } from "../stages/process.ts";

/** How a stage's process ended: its exit status ("busy": another run's process does the work or has done it), and the last thing it said. */
export interface StageExit {
  status: "done" | "stopped" | "failed" | "busy";
  /** What went wrong, for people. */
  error?: string;
}

export interface StageProcess {
  exit: Promise<StageExit>;
  /** Asks it to stop after a checkpoint. */
  stop(): void;
  /** Ends it at once; it can be resumed from its last checkpoint. */
  kill(): void;
}

/** The program beside this one, in the same build. */
const program = fileURLToPath(new URL("./stage.js", import.meta.url));

/** Starts a stage's process on this machine. It stops by itself when this process is gone. */
export function startStage(root: string, runId: string, name: string, asked: StageAsked): StageProcess {
  const child = spawn(process.execPath, [program, root, runId, name, String(process.pid), JSON.stringify(asked)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, ...deviceEnvironment(asked.device.device) },
  });
  let ended = false;
  const end = (signal: "SIGTERM" | "SIGKILL") => {
    ended = true;
    child.kill(signal);
  };
  return { exit: exitOf(child, () => ended), stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}

/** Signals that ask to stop: Ctrl-C, which reaches all processes of a terminal, and a polite end. */
const requests: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGTERM"]);

function exitOf(child: ChildProcess, asked: () => boolean): Promise<StageExit> {
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  return new Promise((resolve) => {
    child.on("error", (error) =>
      resolve({ status: "failed", error: `its process could not be started: ${error.message}` }),
    );
    child.on("close", (code, signal) => {
      if (code === exitCodes.done) resolve({ status: "done" });
      else if (code === exitCodes.busy) resolve({ status: "busy" });
      // A request to stop reaches a process that is still starting, too; then the signal itself ends it.
      else if (code === exitCodes.stopped || (signal && (requests.has(signal) || asked())))
        resolve({ status: "stopped" });
      else if (signal) {
        const hint = signal === "SIGKILL" ? " (the system does so when memory runs out)" : "";
        resolve({ status: "failed", error: `its process was ended by ${signal}${hint}` });
      } else resolve({ status: "failed", error: said.trim() || `its process ended with code ${code}` });
    });
  });
}
