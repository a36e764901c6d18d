import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Connection, LSPErrorCodes, ResponseError } from "vscode-languageserver/node";
import {
  type Device,
  deviceSchema,
  listDevices,
  listRuns,
  type NotificationKind,
  type RequestKind,
  resumeRun,
  runsChanged,
  startRun,
  stopRun,
  trustChanged,
  watchRuns,
} from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { runPaths, runRoot } from "../runs/layout.ts";
import { environment, launchResume, launchRun } from "./launch.ts";
import { checkIdle, rootsOf, runsIn, stop } from "./runs.ts";
import { RunWatch } from "./watch.ts";

/** Answers the editor's own requests: starting, stopping and listing runs. It computes nothing and keeps no run alive. */
export function serveEditor(connection: Connection): void {
  /** Nothing is started before the editor has said that its workspace is trusted. */
  let trusted = false;
  const runWatch = new RunWatch((roots) => void connection.sendNotification(runsChanged.method, { roots }));
  connection.onExit(() => runWatch.stop());

  onNotification(connection, trustChanged, (params) => {
    trusted = params.trusted;
  });
  onNotification(connection, watchRuns, ({ files }) => runWatch.watch(rootsOf(files)));

  const needTrust = () => {
    if (!trusted)
      throw new UserError("Runs start in a trusted workspace only: choose Manage Workspace Trust and trust this one.");
  };
  onRequest(connection, startRun, async ({ file, cores, randomSeed }) => {
    needTrust();
    if (!file.endsWith(".btx.yaml")) throw new UserError(`${basename(file)} is no experiment file (*.btx.yaml)`);
    if (!existsSync(file)) throw new UserError(`there is no file ${file}: save it first`);
    const root = runRoot(file);
    const run = await launchRun(root, file, [...option("cores", cores), ...option("random-seed", randomSeed)]);
    void runWatch.look();
    return { root, run };
  });
  onRequest(connection, resumeRun, async ({ root, run, cores }) => {
    needTrust();
    checkIdle({ root, run });
    if (!existsSync(runPaths(root, run).record)) throw new UserError(`there is no run ${run} in ${root}`);
    await launchResume(root, run, option("cores", cores));
    void runWatch.look();
    return { root, run };
  });
  onRequest(connection, stopRun, async (reference) => ({ running: await stop(reference) }));
  onRequest(connection, listRuns, ({ files }) => runsIn(rootsOf(files)));
  onRequest(connection, listDevices, async () => ({ devices: await devices() }));
}

const option = (name: string, value: number | undefined): string[] =>
  value === undefined ? [] : [`--${name}`, String(value)];

/** Asks the command, in a process of its own: a device's library may take seconds to load, and may crash. */
async function devices(): Promise<Device[]> {
  const program = fileURLToPath(new URL("./btx.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, "devices", "--json"], {
    env: environment(process.env),
    timeout: 30_000,
  });
  return stdout
    .trim()
    .split("\n")
    .map((line) => deviceSchema.strip().parse(JSON.parse(line)));
}

/** Handles a request: parameters are validated, and a user's mistake is answered with its sentence. */
function onRequest<P, R>(connection: Connection, kind: RequestKind<P, R>, handle: (params: P) => R | Promise<R>): void {
  connection.onRequest(kind.method, async (given: unknown): Promise<unknown> => {
    try {
      const params = kind.params.safeParse(given);
      if (!params.success) throw new UserError(`${kind.method}: ${params.error.issues[0]?.message}`);
      return await handle(params.data);
    } catch (error) {
      if (error instanceof UserError) return new ResponseError(LSPErrorCodes.RequestFailed, error.message);
      connection.console.error(`${kind.method}: ${error instanceof Error ? error.stack : error}`);
      return new ResponseError(LSPErrorCodes.RequestFailed, `${kind.method} failed, the log says why`);
    }
  });
}

function onNotification<P>(connection: Connection, kind: NotificationKind<P>, handle: (params: P) => void): void {
  connection.onNotification(kind.method, (given: unknown) => {
    const params = kind.params.safeParse(given);
    if (params.success) handle(params.data);
    else connection.console.error(`${kind.method}: ${params.error.issues[0]?.message}`);
  });
}
