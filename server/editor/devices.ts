import {
  type Device,
  deviceSchema,
  type EnginePackage,
  enginePackageStatusSchema,
  type InstallEvent,
  installEventSchema,
} from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import type { Answers } from "./answers.ts";
import { btx, btxJson, jsonLines } from "./btx.ts";
import { withCompute } from "./experimentText.ts";
import { LoadMeter } from "./loadMeter.ts";
import type { RunWatch } from "./runWatch.ts";

/** How often device load is sent to the editor, ms. */
const period = 2000;

/** Reports this machine's devices and, while they are shown, their load; installs engines. */
export function serveDevices(answers: Answers, watch: RunWatch): void {
  let timer: NodeJS.Timeout | undefined;
  answers.to("btx/devices", async () => ({ devices: await devices() }));
  answers.to("btx/engines", async () => {
    const lines = await btxJson(["engines"], AbortSignal.timeout(30_000));
    return { engines: lines.map((line) => enginePackageStatusSchema.strip().parse(line)) };
  });
  answers.to("btx/installEngine", async ({ id, engine }, signal) => {
    const installed = await install(engine, signal, (event) => answers.notify("btx/installing", { id, event }));
    const { version, folder, reason } = installed;
    return { version, folder, ...(reason === undefined ? {} : { reason }) };
  });
  answers.to("btx/computeText", ({ text, compute }) => ({ text: withCompute(text, compute) }));
  answers.onNotification("btx/watchLoad", ({ shown }) => {
    clearInterval(timer);
    timer = undefined;
    if (!shown) return;
    const meter = new LoadMeter();
    const send = (): void => answers.notify("btx/loadChanged", meter.measure(watch.running()));
    timer = setInterval(send, period);
    send();
  });
  answers.onEnd(() => clearInterval(timer));
}

/** Runs the command in a separate process: a device's library may take seconds to load, or crash. */
async function devices(): Promise<Device[]> {
  const lines = await btxJson(["devices"], AbortSignal.timeout(60_000));
  return lines.map((line) => deviceSchema.strip().parse(line));
}

type Installed = Extract<InstallEvent, { event: "installed" }>;

/** @throws UserError with the command's output if it fails, or if it is cancelled. */
async function install(
  engine: EnginePackage,
  signal: AbortSignal,
  tell: (event: InstallEvent) => void,
): Promise<Installed> {
  let installed: Installed | undefined;
  const onLine = (line: unknown): void => {
    const event = installEventSchema.parse(line);
    tell(event);
    if (event.event === "installed") installed = event;
  };
  await btx(["engines", "install", engine, "--json"], { signal, onOutput: jsonLines(onLine) });
  if (!installed) throw new UserError(`${engine} was not installed: it was cancelled`);
  return installed;
}
