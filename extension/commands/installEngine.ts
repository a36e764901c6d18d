import { ProgressLocation, type QuickPickItem, window } from "vscode";
import type { EnginePackage, EnginePackageStatus } from "../../server/protocol/devices.ts";
import { bytes } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { requestId, shareReporter } from "./longRequest.ts";

type Item = QuickPickItem & { engine: EnginePackageStatus };

/** Installs an engine that BTX does not bundle, for a device row or as the user picks. Returns its folder. */
export async function installEngine(studio: Studio, argument: unknown): Promise<unknown> {
  const { device } = (argument ?? {}) as { device?: { install?: EnginePackage } };
  const engine = device?.install ?? (await pickEngine(studio));
  return engine && install(studio, engine);
}

async function pickEngine(studio: Studio): Promise<EnginePackage | undefined> {
  const engines = studio.backend.request("btx/engines", {}).then((answer) => answer.engines.map(item));
  const placeHolder = "Engine to install";
  const chosen = await window.showQuickPick(engines, { placeHolder, matchOnDescription: true });
  if (!chosen) return undefined;
  const { engine, installed, unavailable, folder } = chosen.engine;
  if (unavailable !== undefined) throw new Error(`${engine} cannot be installed on this machine: ${unavailable}.`);
  if (!installed) return engine;
  void window.showInformationMessage(`${engine} is installed in ${folder}.`);
  return undefined;
}

function item(engine: EnginePackageStatus): Item {
  const { description, version, installed, unavailable } = engine;
  const size = installed ? `installed, ${bytes(engine.bytes)}` : `about ${bytes(engine.bytes)} to download`;
  const icon = installed ? "check" : unavailable === undefined ? "cloud-download" : "circle-slash";
  return {
    label: `$(${icon}) ${engine.engine}`,
    description: `${version}, ${unavailable === undefined ? size : "not for this machine"}`,
    detail: unavailable ?? description,
    engine,
  };
}

/** Installs with a progress message; cancelling leaves nothing installed. @throws Error with the reason if it fails. */
export async function install(studio: Studio, engine: EnginePackage): Promise<string | undefined> {
  const id = requestId();
  const progressOf = { location: ProgressLocation.Notification, title: `Installing ${engine}`, cancellable: true };
  return window.withProgress(progressOf, async (progress, token) => {
    const report = shareReporter(progress);
    const listening = studio.backend.onNotification("btx/installing", ({ id: of, event }) => {
      if (of !== id || event.event !== "progress") return;
      const { label, done, total } = event;
      const share = done === undefined || !total ? 0 : done / total;
      const size = total === undefined ? "" : `, ${bytes(done ?? 0)} of ${bytes(total)}`;
      report(share, `${label}${size}`);
    });
    try {
      const { version, folder, reason } = await studio.backend.request("btx/installEngine", { id, engine }, token);
      const name = `${engine} ${version}`;
      if (reason === undefined) void window.showInformationMessage(`${name} is installed.`);
      else void window.showWarningMessage(`${name} is installed but cannot be used yet: ${reason}`);
      studio.devices.refresh();
      return folder;
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      throw error;
    } finally {
      listening.dispose();
    }
  });
}
