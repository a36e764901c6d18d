import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** A build of BTX Studio in a folder of its own, as a command. Nothing here imports what is built: two builds may differ. */

/** What a command printed, and how it ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a build prints as JSON is compared, not understood.
export type Json = any;

export class Build {
  readonly name: string;
  readonly #program: string;

  /** @param folder with `dist/btx.js` */
  constructor(name: string, folder: string) {
    this.name = name;
    this.#program = resolve(folder, "dist/btx.js");
    if (!existsSync(this.#program)) throw new Error(`${this.#program} is missing: build that folder first`);
  }

  /** Starts `btx` as the leader of a process group, on one core and without installed engines. */
  start(args: string[], cwd: string, env: Record<string, string> = {}): ChildProcess {
    return spawn(process.execPath, [this.#program, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: "1", BTX_ENGINES: "/nowhere", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
  }

  /** Runs `btx` to its end. @throws when it does not end with 0. */
  async run(args: string[], cwd: string): Promise<Ended> {
    const child = this.start(args, cwd);
    const text = (stream: NodeJS.ReadableStream): { value: string } => {
      const printed = { value: "" };
      stream.setEncoding("utf8").on("data", (part: string) => {
        printed.value += part;
      });
      return printed;
    };
    const [stdout, stderr] = [text(child.stdout!), text(child.stderr!)];
    const code = await new Promise<number | null>((done, fail) => child.on("error", fail).on("close", done));
    const ended = { code, stdout: stdout.value, stderr: stderr.value };
    if (code !== 0)
      throw new Error(`${this.name}: btx ${args.join(" ")} ended with ${code}\n${ended.stdout}\n${ended.stderr}`);
    return ended;
  }

  /** Runs `btx ... --json` and gives the last object it printed. */
  async json(args: string[], cwd: string): Promise<Json> {
    const { stdout } = await this.run([...args, "--json"], cwd);
    return JSON.parse(stdout.trim().split("\n").at(-1)!);
  }

  /** Runs an experiment file of `folder` and gives the run's id. */
  async experiment(file: string, folder: string): Promise<string> {
    return (await this.json(["run", file, "--cores", "1"], folder)).run;
  }
}

/** Text of a file of an experiment in `folder`, with the folder's own path as ".": that is all that may differ in two folders. */
export const readPlain = (path: string, folder: string): string =>
  readFileSync(path, "utf8").replaceAll(JSON.stringify(folder).slice(1, -1), ".");

/** `run.json` of a run in `folder`'s run folder. */
export const readRun = (folder: string, id: string): Json =>
  JSON.parse(readPlain(join(folder, ".btx/runs", id, "run.json"), folder));

/** The folder of a stage. */
export const stageFolder = (folder: string, key: string): string => join(folder, ".btx/stages", key);
