import type { InspectionProgress } from "../server/protocol/inspect.ts";
import type { Pending } from "./streamClient.ts";

/** One answer that a page shows: not requested, pending, available or refused. */
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

  /** @param changed is called when there is something else to show. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get waits(): boolean {
    return this.#pending !== undefined;
  }

  /**
   * Asks, unless that was asked before. The answer stays until the next one about the same is there.
   *
   * @param subject what an answer is about: one about something else is neither shown nor wanted any more.
   * @param key the question. While another about the same subject is on its way, this one waits for it.
   * @param ask is given what to call with progress.
   */
  want(subject: string, key: string, ask: (progress: (news: InspectionProgress) => void) => Pending<T>): T | undefined {
    if (subject !== this.#subject) this.#clear();
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

  /** As `want`, but another question that is on its way gives way to this one. What is at hand is shown until then. */
  replace(key: string, ask: () => Pending<T>): void {
    if (key !== this.#key) {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.cancel();
    }
    this.want("", key, ask);
  }

  #settle(pending: Pending<T>, act: () => void): void {
    if (this.#pending !== pending) return;
    this.#pending = undefined;
    this.progress = undefined;
    act();
    this.#changed();
  }

  /** Has the same asked again; what is at hand is shown until then. */
  askAgain(): void {
    this.#key = undefined;
  }

  /** Drops the request and the answer. */
  forget(): void {
    this.#clear();
    this.#changed();
  }

  #clear(): void {
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
