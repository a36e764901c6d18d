import { commands, EventEmitter, ThemeIcon, type TreeDataProvider, TreeItem, window } from "vscode";
import { type Device, listDevices } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";

/** What this machine computes with. Asked for when the view is first opened, and when a person asks again. */
export function registerDevices({ context, backend }: Studio): void {
  const onChange = new EventEmitter<void>();
  const provider: TreeDataProvider<Device> = {
    onDidChangeTreeData: onChange.event,
    getChildren: async (row) => (row ? [] : (await backend.request(listDevices, {})).devices),
    getTreeItem: deviceItem,
  };
  context.subscriptions.push(
    onChange,
    window.registerTreeDataProvider("btx.devices", provider),
    commands.registerCommand("btx.refresh", () => onChange.fire()),
  );
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function deviceItem({ engine, device, name, cores, memory, freeMemory }: Device): TreeItem {
  const item = new TreeItem(name);
  item.description = `${device}, ${cores} cores, ${gigabytes(freeMemory)} of ${gigabytes(memory)} free`;
  item.iconPath = new ThemeIcon(device === "cpu" ? "chip" : "zap");
  item.tooltip = `${name}\n${item.description}\nengine: ${engine}`;
  return item;
}
