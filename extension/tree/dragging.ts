import { commands, type DataTransfer, DataTransferItem, type TreeDragAndDropController } from "vscode";
import type { ListedRun } from "../../server/protocol/editor.ts";
import type { Experiments } from "../experiments.ts";
import { type Row, runId, runOf } from "./rows.ts";

const mimeType = "application/vnd.code.tree.btx.experiments";

/** Compares runs that are dropped on another run with it. */
export class RunDragging implements TreeDragAndDropController<Row> {
  readonly dragMimeTypes = [mimeType];
  readonly dropMimeTypes = [mimeType];
  readonly #experiments: Experiments;

  constructor(experiments: Experiments) {
    this.#experiments = experiments;
  }

  handleDrag(rows: readonly Row[], transfer: DataTransfer): void {
    const ids = rows.map(runOf).flatMap((run) => (run ? [runId(run)] : []));
    if (ids.length > 0) transfer.set(mimeType, new DataTransferItem([...new Set(ids)]));
  }

  async handleDrop(target: Row | undefined, transfer: DataTransfer): Promise<void> {
    const dragged: unknown = transfer.get(mimeType)?.value;
    const on = target && runOf(target);
    if (!on || !Array.isArray(dragged)) return;
    const runs = this.#experiments.runs.filter(
      (run: ListedRun) => dragged.includes(runId(run)) && runId(run) !== runId(on),
    );
    if (runs.length > 0) await commands.executeCommand("btx.compare", { runs: [on, ...runs] });
  }
}
