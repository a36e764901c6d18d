import type { RunReference } from "../server/protocol/editor/basics.ts";
import type { OfferedRun, StreamedRun } from "../server/protocol/stream.ts";
import type { Host } from "./host.ts";
import { StreamClient } from "./streamClient.ts";

/** The runs a page shows, kept up to date, and those available to it. */
export class PageRuns {
  readonly client: StreamClient;
  /** There is something else to show. */
  protected readonly changed: () => void;
  #about: readonly RunReference[];
  #problem: string | undefined;
  runs: readonly StreamedRun[] = [];
  offered: readonly OfferedRun[] | undefined;
  /** Run folders to choose runs from. */
  roots: readonly string[] = [];

  /** @param changed is called when there is something else to show. */
  constructor(host: Host, about: readonly RunReference[], changed: () => void) {
    this.#about = about;
    this.changed = changed;
    this.client = new StreamClient(host, { begin: () => this.onBegin(), changed });
  }

  /** Why updates are missing. */
  get trouble(): string | undefined {
    return this.client.trouble ?? this.#problem;
  }

  set about(runs: readonly RunReference[]) {
    if (JSON.stringify(runs) === JSON.stringify(this.#about)) return;
    this.#about = runs;
    this.client.restart();
  }

  /** Looks for the runs that there are. */
  offer(): void {
    const roots = [...new Set([...this.roots, ...this.#about.map(({ root }) => root)])];
    this.client.ask({ type: "runs", roots }).answer.then(
      ({ runs }) => {
        this.offered = runs;
        this.changed();
      },
      (error: Error) => this.refused(error.message),
    );
  }

  protected refused(why: string): void {
    this.#problem = why;
    this.changed();
  }

  /** Connected, visible again, or showing other runs: request everything again once `onRuns` is called. */
  protected onBegin(): void {
    this.#problem = undefined;
    this.client.subscribe(
      { type: "open", runs: [...this.#about] },
      {
        heard: ({ runs }) => {
          this.runs = runs;
          this.onRuns();
          this.changed();
        },
        refused: (why) => this.refused(why),
      },
    );
    if (this.#about.length === 0 || this.offered) this.offer();
  }

  /** The runs are there, or have changed. */
  protected onRuns(): void {}
}
