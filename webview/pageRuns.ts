import type { RunReference } from "../server/protocol/editor/basics.ts";
import type { OfferedRun, StreamedRun } from "../server/protocol/stream.ts";
import type { Host } from "./host.ts";
import { StreamClient } from "./streamClient.ts";

export interface RunsEvents {
  /** Connected, seen again, or about other runs: everything is to be asked for anew, once the runs are there. */
  begin?(): void;
  /** The runs are there, or have changed. */
  opened(): void;
  /** There is something else to show. */
  changed(): void;
}

/** The runs that a page is about, kept up to date, and those that it may be about. */
export class PageRuns {
  readonly client: StreamClient;
  readonly #events: RunsEvents;
  #about: readonly RunReference[];
  #problem: string | undefined;
  runs: readonly StreamedRun[] = [];
  offered: readonly OfferedRun[] | undefined;
  /** The runs are as the backend has them now: it can be asked about them. */
  current = false;
  /** Run folders to choose runs from. */
  roots: readonly string[] = [];

  constructor(host: Host, about: readonly RunReference[], events: RunsEvents) {
    this.#about = about;
    this.#events = events;
    this.client = new StreamClient(host, { begin: () => this.#begin(), changed: events.changed });
  }

  /** Why there is nothing new. */
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
        this.#events.changed();
      },
      (error: Error) => this.#refused(error.message),
    );
  }

  #refused(why: string): void {
    this.#problem = why;
    this.#events.changed();
  }

  #begin(): void {
    this.current = false;
    this.#problem = undefined;
    this.#events.begin?.();
    this.client.subscribe(
      { type: "open", runs: [...this.#about] },
      {
        heard: ({ runs }) => {
          this.runs = runs;
          this.current = true;
          this.#events.opened();
          this.#events.changed();
        },
        refused: (why) => this.#refused(why),
      },
    );
    if (this.#about.length === 0 || this.offered) this.offer();
  }
}
