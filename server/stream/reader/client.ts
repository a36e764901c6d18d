import { Worker } from "node:worker_threads";
import { reachableFolders } from "../../disk/reach.ts";
import type {
  ExportPart,
  ExportPartRequest,
  ExportPlan,
  Message,
  PlanExportRequest,
  Reply,
  Request,
  StatisticsAnswer,
  StatisticsRequest,
  ViewAnswer,
  ViewRequest,
} from "./requests.ts";

/** How long files that no page is viewing stay in memory, ms, in case the page is shown again. */
const grace = 30_000;

/** For the text of exports, which is short-lived, V8 would take 50 MB more without a limit. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 };

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** The backend's handle on the thread that reads metrics. The thread is started on first use. */
export class ReaderClient {
  readonly #program: URL;
  #worker: Worker | undefined;
  #closed = false;
  #next = 0;
  readonly #pending = new Map<number, Pending>();
  /** Path to the number of pages viewing it. */
  readonly #users = new Map<string, number>();

  /** @param program of the thread, see main.ts. */
  constructor(program: URL) {
    this.#program = program;
  }

  /** Starts the thread, so that the first answer does not wait for it. */
  warm(): void {
    this.#start();
  }

  view(request: Omit<ViewRequest, "kind">): Promise<ViewAnswer> {
    return this.#ask({ kind: "view", ...request }) as Promise<ViewAnswer>;
  }

  statistics(request: Omit<StatisticsRequest, "kind">): Promise<StatisticsAnswer> {
    return this.#ask({ kind: "statistics", ...request }) as Promise<StatisticsAnswer>;
  }

  planExport(request: Omit<PlanExportRequest, "kind">): Promise<ExportPlan> {
    return this.#ask({ kind: "planExport", ...request }) as Promise<ExportPlan>;
  }

  exportPart(request: Omit<ExportPartRequest, "kind">): Promise<ExportPart> {
    return this.#ask({ kind: "exportPart", ...request }) as Promise<ExportPart>;
  }

  /** Keeps what was read of these files in memory until what it returns is called. */
  use(files: readonly string[]): () => void {
    const paths = [...new Set(files)];
    for (const path of paths) this.#users.set(path, (this.#users.get(path) ?? 0) + 1);
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      for (const path of paths) this.#users.set(path, (this.#users.get(path) ?? 1) - 1);
      setTimeout(() => this.#forget(paths), grace).unref();
    };
  }

  #forget(paths: string[]): void {
    const unused = paths.filter((path) => this.#users.get(path) === 0);
    for (const path of unused) this.#users.delete(path);
    if (this.#worker && unused.length > 0) void this.#ask({ kind: "forget", paths: unused }).catch(() => {});
  }

  /** Ends the thread. What is asked later is refused, so that no new thread begins. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#closed = true;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(new Error("the reader of metrics was closed"));
  }

  #ask(request: Request): Promise<unknown> {
    if (this.#closed) return Promise.reject(new Error("the reader of metrics was closed"));
    const worker = this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ id, request, folders: reachableFolders() } satisfies Message);
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.#program, { resourceLimits });
    this.#worker = worker;
    // The process may end while the thread waits.
    worker.unref();
    worker.on("message", (reply: Reply) => this.#receive(reply));
    const ended = (error: Error) => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#fail(error);
    };
    worker.on("error", ended);
    worker.on("exit", (code) => ended(new Error(`the reader of metrics ended with code ${code}`)));
    return worker;
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("error" in reply) pending?.reject(new Error(reply.error));
    else pending?.resolve(reply.answer);
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
