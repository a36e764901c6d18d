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
import type { Device, Load, WorkingStage } from "../../server/protocol/editor.ts";
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

/** The view "Devices": what this machine computes with, how busy it is, and which stage runs where. */
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
    const watch = () => void backend.tell("btx/watchLoad", { shown: this.view.visible });
    context.subscriptions.push(
      this.#onChange,
      this.view,
      this.view.onDidChangeVisibility(watch),
      backend.onDidStart(watch),
      backend.hear("btx/loadChanged", (load) => {
        this.#load = load;
        this.#onChange.fire(undefined);
      }),
      commands.registerCommand("btx.refresh", () => {
        this.#devices = undefined;
        this.#onChange.fire(undefined);
      }),
    );
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
    const { engine, name, cores, memory } = device;
    const work = this.#workOn(device).length;
    const item = new TreeItem(name, work > 0 ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.None);
    const free = this.#load?.freeMemory ?? device.freeMemory;
    const busy = this.#load?.busy === undefined ? [] : [`${percent(this.#load.busy)} busy`];
    item.id = `${engine} ${device.device} ${name}${work > 0 ? " at work" : ""}`;
    item.description = [`${device.device}, ${cores} cores`, ...busy, `${bytes(free)} of ${bytes(memory)} free`].join(
      ", ",
    );
    item.iconPath = new ThemeIcon(device.device === "cpu" ? "chip" : "zap");
    item.tooltip = `${name}\n${item.description}\nengine: ${engine}`;
    item.contextValue = "device";
    item.accessibilityInformation = {
      label: `Device ${name}, engine ${engine}, ${item.description}, ${countText(work, "stage")} running`,
    };
    return item;
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
