/** One answer that is shown until the next one is there. One question at a time is on its way. */
export class Asking<T> {
  #subject = "";
  #key = "";
  /** Number of the question that is on its way. */
  #id: number | undefined;
  #answer: T | undefined;

  /**
   * The answer that is at hand, of this question or the one before it.
   *
   * @param subject what an answer stands for: that of another is not shown. @param key of the question.
   * @param ask asks, and gives the question's number.
   */
  look(subject: string, key: string, ask: () => number): T | undefined {
    const other = this.#subject !== subject;
    if (other) this.#answer = undefined;
    if (other || (this.#key !== key && this.#id === undefined)) {
      this.#subject = subject;
      this.#key = key;
      this.#id = ask();
    }
    return this.#answer;
  }

  take(id: number, answer: T): void {
    if (this.#id !== id) return;
    this.#id = undefined;
    this.#answer = answer;
  }

  /** What is on its way will not come; the same is not asked again. */
  refuse(): void {
    this.#id = undefined;
  }

  /** There is a new connection: everything is asked for again. */
  forget(): void {
    this.#subject = "";
    this.#id = undefined;
  }
}
