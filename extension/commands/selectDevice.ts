import { ProgressLocation, type QuickPickItem, Range, type Uri, WorkspaceEdit, window, workspace } from "vscode";
import { type Compute, type Device, type DeviceName, whyText } from "../../server/protocol/devices.ts";
import { bytes } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { install } from "./installEngine.ts";
import { experimentFile } from "./target.ts";

type Item = QuickPickItem & { device?: Device };

/** Chooses an experiment's device: sets its keys `engine` and `devices` as an edit that can be undone. */
export async function selectDevice(studio: Studio, argument: unknown): Promise<unknown> {
  const { device: given } = (argument ?? {}) as { device?: Device };
  const file = await experimentFile(studio, argument);
  if (!file) return undefined;
  const device = given ?? (await pickDevice(studio));
  if (device === undefined) return undefined;
  if (device !== "auto" && !device.usable) {
    if (device.install) return install(studio, device.install);
    throw new Error(`${device.name} cannot be used: ${whyText(device)}`);
  }
  await write(studio, file, device);
  return file;
}

/** @returns "auto" for the fastest device; undefined if the user picks none. */
async function pickDevice(studio: Studio): Promise<Device | "auto" | undefined> {
  const looking = { location: ProgressLocation.Window, title: "Looking for devices" };
  const found = window.withProgress(looking, () => studio.backend.request("btx/devices", {}));
  const items = found.then(({ devices }): Item[] => [
    { label: "$(sparkle) auto", description: "the fastest on the machine that runs it" },
    ...devices.map(item),
  ]);
  const placeHolder = "Device that runs the experiment";
  const chosen = await window.showQuickPick(Promise.resolve(items), { placeHolder, matchOnDescription: true });
  return chosen && (chosen.device ?? "auto");
}

function item(device: Device): Item {
  const { engine, name, kind, usable, memory, install: installable } = device;
  const icon = usable ? (kind === "gpu" ? "zap" : "chip") : installable ? "cloud-download" : "circle-slash";
  const why = whyText(device);
  return {
    label: `$(${icon}) ${name}`,
    description: `engine ${engine}, device ${device.device}${memory === undefined ? "" : `, ${bytes(memory)}`}`,
    ...(why === "" ? {} : { detail: why }),
    device,
  };
}

async function write(studio: Studio, file: Uri, device: Device | "auto"): Promise<void> {
  const document = await workspace.openTextDocument(file);
  const before = document.getText();
  const compute: Compute | undefined =
    device === "auto" ? undefined : { engine: device.engine, devices: [device.device as DeviceName] };
  const { text } = await studio.backend.request("btx/computeText", {
    text: before,
    ...(compute === undefined ? {} : { compute }),
  });
  if (text === before) return;
  // Text that is the same at both ends is not replaced, so that cursors and markers stay.
  let [from, same] = [0, 0];
  while (from < Math.min(before.length, text.length) && before[from] === text[from]) from++;
  const rest = Math.min(before.length, text.length) - from;
  while (same < rest && before.at(-1 - same) === text.at(-1 - same)) same++;
  const edit = new WorkspaceEdit();
  const range = new Range(document.positionAt(from), document.positionAt(before.length - same));
  edit.replace(document.uri, range, text.slice(from, text.length - same));
  await workspace.applyEdit(edit);
  await window.showTextDocument(document);
}
