import type { RunReference } from "../server/protocol/editor/basics.ts";
import type { OfferedRun, StreamedRun } from "../server/protocol/stream.ts";
import type { Host } from "./host.ts";
import { StreamClient } from "./streamClient.ts";

/** The runs that a page shows, kept up to date, and the runs to choose from. */
export class PageRuns {
  readonly client: StreamClient;
  /** Call when there is something new to show. */
  protected readonly changed: () => void;
  #about: readonly RunReference[];
  #problem: string | undefined;
  runs: readonly StreamedRun[] = [];
  offered: readonly OfferedRun[] | undefined;
  /** Run folders to choose runs from. */
  roots: readonly string[] = [];

  /** @param changed is called when there is something new to show. */
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

  /** Lists the runs to choose from. */
  listRuns(): void {
    const roots = [...new Set([...this.roots, ...this.#about.map(({ root }) => root)])];
    this.client.ask({ type: "runs", roots }).answer.then(
      ({ runs }) => {
        this.offered = runs;
        this.changed();
      },
      (error: Error) => this.showProblem(error.message),
    );
  }

  protected showProblem(why: string): void {
    this.#problem = why;
    this.changed();
  }

  /** Called when the page is connected, visible again or shows other runs: everything must be requested again. */
  protected onBegin(): void {
    this.#problem = undefined;
    this.client.subscribe(
      { type: "open", runs: [...this.#about] },
      {
        onAnswer: ({ runs }) => {
          this.runs = runs;
          this.onRuns();
          this.changed();
        },
        onProblem: (why) => this.showProblem(why),
      },
    );
    if (this.#about.length === 0 || this.offered) this.listRuns();
  }

  /** Called when runs arrive or change. */
  protected onRuns(): void {}
}
