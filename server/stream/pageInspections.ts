import type { Inspector } from "../inspect/client.ts";
import { UserError } from "../protocol/errors.ts";
import { type Inspected, type Inspection, inspections } from "../protocol/inspect.ts";
import type { HubMessage, PageMessage } from "../protocol/stream.ts";

/** What may look into models for pages. */
export interface Inspecting {
  inspector: Pick<Inspector, "ask">;
  /** Whether models may be run: not in a workspace that nobody trusts. */
  trusted(): boolean;
}

export interface PageInspectionsOptions {
  inspecting: Inspecting | undefined;
  send(message: HubMessage): void;
  /** @throws UserError for a run folder that may not be read. */
  check(root: string): void;
  log(text: string): void;
}

/** Questions of one page at once, at most. */
const mostQuestions = 64;

/** The questions of one page to the inspector, as far as they are not answered. */
export class PageInspections {
  readonly #options: PageInspectionsOptions;
  readonly #asked = new Map<number, AbortController>();

  constructor(options: PageInspectionsOptions) {
    this.#options = options;
  }

  async ask({ id, inspection, params }: Extract<PageMessage, { type: "inspect" }>): Promise<void> {
    const { send, log } = this.#options;
    const abort = new AbortController();
    const answer = (message: HubMessage) => {
      if (!abort.signal.aborted) send(message);
    };
    try {
      if (this.#asked.size >= mostQuestions) throw new UserError("too many questions at once: wait for the answers");
      this.#asked.set(id, abort);
      const result = await this.#inspector().ask(inspection, this.#checked(inspection, params), {
        signal: abort.signal,
        onNews: (news) => answer({ type: "inspectionNews", id, news }),
      });
      answer({ type: "inspected", id, answer: result });
    } catch (error) {
      if (!(error instanceof UserError)) log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      const why = error instanceof UserError ? error.message : "The question could not be answered: the log says why.";
      answer({ type: "inspectionFailed", id, why });
    } finally {
      if (this.#asked.get(id) === abort) this.#asked.delete(id);
    }
  }

  cancel(id: number): void {
    this.#asked.get(id)?.abort();
    this.#asked.delete(id);
  }

  /** Nobody waits for any answer. */
  close(): void {
    for (const id of [...this.#asked.keys()]) this.cancel(id);
  }

  #inspector(): Inspecting["inspector"] {
    const { inspecting } = this.#options;
    if (!inspecting) throw new UserError("models are not looked into here");
    if (inspecting.trusted()) return inspecting.inspector;
    throw new UserError(
      "Models are run in a trusted workspace only: choose Manage Workspace Trust and trust this one.",
    );
  }

  #checked<I extends Inspection>(inspection: I, given: unknown): Inspected<I> {
    const { success, data, error } = inspections[inspection].params.safeParse(given);
    if (!success) {
      const [issue] = error.issues;
      throw new UserError(`${inspection}: ${issue?.path.join(".")} ${issue?.message}`);
    }
    this.#options.check(data.model.root);
    if ("other" in data) this.#options.check(data.other.root);
    return data as Inspected<I>;
  }
}
