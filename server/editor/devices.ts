import { type Device, deviceSchema } from "../protocol/devices.ts";
import type { Answers } from "./answers.ts";
import { btxJson } from "./btx.ts";
import { LoadMeter } from "./load.ts";
import type { RunWatch } from "./watch.ts";

/** How often the editor is told how busy the devices are, ms. */
const period = 2000;

/** Tells what this machine computes with and, while it is shown, how busy it is. */
export function serveDevices(answers: Answers, watch: RunWatch): void {
  let timer: NodeJS.Timeout | undefined;
  answers.to("btx/devices", async () => ({ devices: await devices() }));
  answers.hear("btx/watchLoad", ({ shown }) => {
    clearInterval(timer);
    timer = undefined;
    if (!shown) return;
    const meter = new LoadMeter();
    const tell = (): void => answers.tell("btx/loadChanged", meter.look(watch.running()));
    timer = setInterval(tell, period);
    tell();
  });
  answers.onEnd(() => clearInterval(timer));
}

/** Asks the command, in a process of its own: a device's library may take seconds to load, and may crash. */
async function devices(): Promise<Device[]> {
  const lines = await btxJson(["devices"], AbortSignal.timeout(60_000));
  return lines.map((line) => deviceSchema.strip().parse(line));
}
