import { probe } from "../devices/probe.ts";
import { reasonOf } from "../devices/reasons.ts";
import { catalog, enginesFolder } from "../install/catalog.ts";
import { deviceEnvironment } from "../install/environment.ts";
import { installPackage, listPackages, removePackage } from "../install/install.ts";
import { type EnginePackage, enginePackageSchema, type InstallEvent } from "../protocol/devices.ts";
import { StopRequested } from "../protocol/errors.ts";
import { bytes } from "../protocol/format.ts";
import { CommandError, exitStatus, parse, printJson } from "./command.ts";

/** `btx engines`, `btx engines install ENGINE`, `btx engines remove ENGINE` */
export async function engines(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { json: { type: "boolean" } }, 2);
  const [action, name] = positionals;
  const json = values.json === true;
  if (action === undefined) return list(json);
  if (action === "install") return install(known(name), json);
  if (action === "remove") return remove(known(name), json);
  throw new CommandError(
    `unknown action "${action}": use \`install\` or \`remove\` with one of the engines that \`btx engines\` lists`,
  );
}

function known(name: string | undefined): EnginePackage {
  const parsed = enginePackageSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  const all = enginePackageSchema.options.join(", ");
  throw new CommandError(
    name === undefined ? `name an engine: ${all}` : `there is no engine "${name}" to install: ${all}`,
  );
}

async function list(json: boolean): Promise<number> {
  const all = await listPackages(enginesFolder());
  const [width, versionWidth] = (["engine", "version"] as const).map((key) =>
    Math.max(...all.map((engine) => engine[key].length)),
  ) as [number, number];
  for (const engine of all) {
    if (json) {
      printJson(engine);
      continue;
    }
    const { version, description, installed, folder, unavailable } = engine;
    const standing = installed
      ? `installed, ${bytes(engine.bytes)} in ${folder}`
      : (unavailable ?? `not installed, about ${bytes(engine.bytes)}: btx engines install ${engine.engine}`);
    process.stdout.write(
      `${engine.engine.padEnd(width)}  ${version.padEnd(versionWidth)}  ${description}; ${standing}\n`,
    );
  }
  return exitStatus.done;
}

async function install(engine: EnginePackage, json: boolean): Promise<number> {
  const cancel = new AbortController();
  const interrupt = () => cancel.abort(new StopRequested());
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const show = json ? (event: InstallEvent) => printJson(event) : createLine();
  try {
    const folder = await installPackage(engine, {
      root: enginesFolder(),
      signal: cancel.signal,
      onProgress: (progress) => show({ event: "progress", engine, ...progress }),
    });
    const device = engine === "cuda" ? "cuda:0" : engine;
    const probed = await probe(device, { folder, env: deviceEnvironment(device) });
    const why = probed.works ? {} : reasonOf(engine, probed);
    const reason = why.reason === undefined ? {} : { reason: [why.reason, why.remedy].filter(Boolean).join(": ") };
    show({ event: "installed", engine, version: catalog[engine].version, folder, ...reason });
    return exitStatus.done;
  } catch (error) {
    if (!(error instanceof StopRequested)) throw error;
    process.stderr.write("cancelled: nothing was installed\n");
    return exitStatus.stopped;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** Shows progress on one rewritten line or, if that is not possible, one line per completed item. */
function createLine(): (event: InstallEvent) => void {
  const { stderr, stdout } = process;
  let last = "";
  return (event) => {
    if (event.event === "installed") {
      if (stderr.isTTY) stderr.write("\r\u001b[K");
      const { engine, version, folder, reason } = event;
      stdout.write(`${engine} ${version} is installed in ${folder}\n`);
      if (reason) stdout.write(`It cannot be used yet: ${reason}\n`);
      return;
    }
    const { label, done, total } = event;
    const share = done === undefined || !total ? "" : `, ${bytes(done)} of ${bytes(total)}`;
    if (stderr.isTTY) stderr.write(`\r\u001b[K${label}${share}`);
    else if (label !== last) stderr.write(`${label}${total ? `, ${bytes(total)}` : ""}\n`);
    last = label;
  };
}

async function remove(engine: EnginePackage, json: boolean): Promise<number> {
  const removed = await removePackage(engine, enginesFolder());
  if (json) printJson({ engine, removed });
  else process.stdout.write(removed ? `${engine} is removed\n` : `${engine} is not installed\n`);
  return exitStatus.done;
}
