import {
  commands,
  EventEmitter,
  type ExtensionContext,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from "vscode";
import { type Device, whyText } from "../../server/protocol/devices.ts";
import type { Load, WorkingStage } from "../../server/protocol/editor.ts";
import { bytes, percent } from "../../server/protocol/format.ts";
import type { Backend } from "../backend.ts";
import { countText } from "./texts.ts";

interface DeviceRow {
  type: "device";
  device: Device;
}

interface WorkRow {
  type: "work";
  stage: WorkingStage;
}

type Row = DeviceRow | WorkRow;

/** The "Devices" view: available and installable devices, their load, and the stages that run on them. */
export class DevicesTree implements TreeDataProvider<Row> {
  readonly view: TreeView<Row>;
  readonly #backend: Backend;
  readonly #onChange = new EventEmitter<Row | undefined>();
  readonly onDidChangeTreeData = this.#onChange.event;
  #devices: Promise<DeviceRow[]> | undefined;
  #load: Load | undefined;

  constructor(context: ExtensionContext, backend: Backend) {
    this.#backend = backend;
    this.view = window.createTreeView("btx.devices", { treeDataProvider: this });
    const watch = () => void backend.notify("btx/watchLoad", { shown: this.view.visible });
    context.subscriptions.push(
      this.#onChange,
      this.view,
      this.view.onDidChangeVisibility(watch),
      backend.onDidStart(watch),
      backend.onNotification("btx/loadChanged", (load) => {
        this.#load = load;
        this.#onChange.fire(undefined);
      }),
      commands.registerCommand("btx.refresh", () => this.refresh()),
    );
  }

  /** Looks for devices again. */
  refresh(): void {
    this.#devices = undefined;
    this.#onChange.fire(undefined);
  }

  async getChildren(row?: Row): Promise<Row[]> {
    if (row?.type === "work") return [];
    if (row) return this.#workOn(row.device).map((stage) => ({ type: "work", stage }));
    this.#devices ??= this.#backend
      .request("btx/devices", {})
      .then(({ devices }) => devices.map((device): DeviceRow => ({ type: "device", device })));
    this.#devices.catch(() => {
      this.#devices = undefined;
    });
    const elsewhere = (this.#load?.stages ?? []).filter(({ host }) => host !== undefined);
    return [...(await this.#devices), ...elsewhere.map((stage): WorkRow => ({ type: "work", stage }))];
  }

  getTreeItem(row: Row): TreeItem {
    return row.type === "device" ? this.#deviceItem(row.device) : workItem(row.stage);
  }

  /** Stages that run on a device of this machine. */
  #workOn({ engine, device }: Device): WorkingStage[] {
    const stages = this.#load?.stages ?? [];
    return stages.filter(
      (stage) => stage.host === undefined && (stage.engine ?? engine) === engine && (stage.device ?? device) === device,
    );
  }

  #deviceItem(device: Device): TreeItem {
    const { engine, name, usable } = device;
    const work = this.#workOn(device).length;
    const item = new TreeItem(
      usable ? name : device.device,
      work > 0 ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.None,
    );
    const why = whyText(device);
    item.id = `${engine} ${device.device} ${name}${work > 0 ? " at work" : ""}`;
    item.description = usable ? [device.device, this.#facts(device), engine].filter(Boolean).join(", ") : why;
    item.iconPath = new ThemeIcon(usable ? (device.kind === "gpu" ? "zap" : "chip") : "circle-slash");
    item.tooltip = [name, `engine ${engine}, device ${device.device}`, this.#facts(device), why]
      .filter(Boolean)
      .join("\n");
    item.contextValue = `device:${usable ? "usable" : "unusable"}${device.install ? `:install:${device.install}` : ""}`;
    item.accessibilityInformation = {
      label: `Device ${name}, engine ${engine}, ${item.description}, ${usable ? `${countText(work, "stage")} running` : "not usable"}`,
    };
    return item;
  }

  /** Memory, cores and driver, and a CPU's load. Changing values come first, since side bars are narrow. */
  #facts({ engine, device, cores, memory, freeMemory, driver }: Device): string {
    const isCpu = engine === "onnx" && device === "cpu";
    const free = isCpu ? (this.#load?.freeMemory ?? freeMemory) : freeMemory;
    const busy = isCpu ? this.#load?.busy : undefined;
    const facts = [
      busy === undefined ? "" : `${percent(busy)} busy`,
      memory === undefined ? "" : free === undefined ? bytes(memory) : `${bytes(free)} of ${bytes(memory)} free`,
      cores === undefined ? "" : countText(cores, "core"),
      driver === undefined ? "" : `driver ${driver}`,
    ];
    return facts.filter(Boolean).join(", ");
  }
}

function workItem({ stage, experiment, threads, pid, host, cores, memory, root, run }: WorkingStage): TreeItem {
  const item = new TreeItem(stage);
  const facts = [
    experiment,
    ...(host === undefined ? [] : [`on ${host}`]),
    ...(threads === undefined ? [] : [countText(threads, "thread")]),
    ...(cores === undefined ? [] : [`${percent(cores)} of a core`]),
    ...(memory === undefined ? [] : [bytes(memory)]),
  ];
  item.id = `${root} ${run} ${stage} ${pid}`;
  item.description = facts.join(", ");
  item.iconPath = new ThemeIcon("sync~spin");
  item.tooltip = `${stage} of ${experiment}, run ${run}\nprocess ${pid}${host === undefined ? "" : ` on ${host}`}`;
  item.contextValue = "work";
  item.accessibilityInformation = { label: `Stage ${stage} of ${item.description} is running` };
  return item;
}
