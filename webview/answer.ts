import type { InspectionProgress } from "../server/protocol/inspect.ts";
import type { Pending } from "./streamClient.ts";

/** One answer that a page shows: not requested, pending, available or failed. */
export class Answer<T> {
  readonly #changed: () => void;
  #subject: string | undefined;
  #key: string | undefined;
  #pending: Pending<T> | undefined;
  value: T | undefined;
  /** Progress while the answer is pending. */
  progress: InspectionProgress | undefined;
  /** Why the answer is missing. */
  problem = "";

  /** @param changed is called when there is something new to show. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /**
   * Asks a question unless it was asked before. Until its answer arrives, the last one about the same subject stays.
   *
   * @param subject what the answer is about; a new subject cancels the pending question and drops the answer.
   * @param key identifies the question. While another one about the subject is pending, this one is not asked yet.
   * @param ask sends the question; it gets a function to call with progress.
   */
  request(
    subject: string,
    key: string,
    ask: (progress: (news: InspectionProgress) => void) => Pending<T>,
  ): T | undefined {
    if (subject !== this.#subject) this.#reset();
    if (key === this.#key || this.#pending) return this.value;
    this.#subject = subject;
    this.#key = key;
    this.problem = "";
    this.progress = { done: 0, total: 0 };
    const pending = ask((news) => {
      if (this.#pending !== pending) return;
      this.progress = news;
      this.#changed();
    });
    this.#pending = pending;
    pending.answer.then(
      (value) =>
        this.#settle(pending, () => {
          this.value = value;
        }),
      (error: Error) =>
        this.#settle(pending, () => {
          this.problem = error.message;
        }),
    );
    return this.value;
  }

  /** Like `request`, but cancels another pending question. The last answer stays until the new one arrives. */
  replace(key: string, ask: () => Pending<T>): void {
    if (key !== this.#key) {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.cancel();
    }
    this.request("", key, ask);
  }

  #settle(pending: Pending<T>, act: () => void): void {
    if (this.#pending !== pending) return;
    this.#pending = undefined;
    this.progress = undefined;
    act();
    this.#changed();
  }

  /** Makes the next `request` ask again; the last answer stays until then. */
  invalidate(): void {
    this.#key = undefined;
  }

  /** Cancels the request and drops the answer. */
  clear(): void {
    this.#reset();
    this.#changed();
  }

  #reset(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#subject = undefined;
    this.#key = undefined;
    this.value = undefined;
    this.progress = undefined;
    this.problem = "";
    pending?.cancel();
  }
}
