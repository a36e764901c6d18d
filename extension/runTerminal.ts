import { basename, dirname, join } from "node:path";
import { type Disposable, EventEmitter, type Pseudoterminal, type TerminalDimensions, Uri } from "vscode";
import type { RequestParams, RunReference } from "../server/protocol/editor.ts";
import { percentDone } from "../server/protocol/format.ts";
import { coresSetting, saveBeforeRun } from "./commands/runs.ts";
import { runShare } from "./progress.ts";
import type { Studio } from "./studio.ts";
import { stageText } from "./tree/texts.ts";

/** Interval between reads of the log, ms. */
const tick = 300;
const exitCodes: Readonly<Record<string, number>> = { done: 0, failed: 1, stopped: 3, interrupted: 1 };
const erase = "\r\u001b[K";
const controlC = "\u0003";

/**
 * A task's terminal: starts a run and shows its output, with progress on the last line. Ctrl-C stops the run at the
 * next checkpoint; closing the terminal or the window leaves it running.
 */
export class RunTerminal implements Pseudoterminal {
  readonly #studio: Studio;
  readonly #asked: RequestParams<"btx/startRun">;
  readonly #onWrite = new EventEmitter<string>();
  readonly #onClose = new EventEmitter<number>();
  readonly onDidWrite = this.#onWrite.event;
  readonly onDidClose = this.#onClose.event;
  #columns = 80;
  #run: RunReference | undefined;
  #listening: Disposable | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(studio: Studio, asked: RequestParams<"btx/startRun">) {
    this.#studio = studio;
    this.#asked = asked;
  }

  open(dimensions: TerminalDimensions | undefined): void {
    if (dimensions) this.setDimensions(dimensions);
    void this.#follow();
  }

  setDimensions({ columns }: TerminalDimensions): void {
    this.#columns = columns;
  }

  handleInput(text: string): void {
    if (text.includes(controlC) && this.#run) {
      this.#say("stopping at the next checkpoint\n");
      void this.#studio.backend.request("btx/stopRun", this.#run).catch((error) => this.#say(`${error}\n`));
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listening?.dispose();
  }

  async #follow(): Promise<void> {
    const { backend, experiments } = this.#studio;
    try {
      await saveBeforeRun(Uri.file(this.#asked.file));
      this.#run = await backend.request("btx/startRun", { ...coresSetting(), ...this.#asked });
      this.#say("Ctrl-C stops the run at the next checkpoint. The run continues when this terminal is closed.\n");
      this.#listening = experiments.onDidChangeStages(({ run }) => {
        if (run === this.#run?.run) this.#say("");
      });
      let offset = 0;
      for (;;) {
        const log = await backend.request("btx/runLog", { ...this.#run, offset });
        if (this.#closed) return;
        if (log.text !== "") this.#say(log.text);
        offset = log.offset;
        if (log.text === "" && log.state !== "running") return this.#end(exitCodes[log.state] ?? 1);
        await new Promise((resolve) => {
          this.#timer = setTimeout(resolve, tick);
        });
      }
    } catch (error) {
      this.#say(`${located(error instanceof Error ? error.message : String(error), this.#asked.file)}\n`);
      this.#end(2);
    }
  }

  /** Writes lines above the progress line. */
  #say(text: string): void {
    if (!this.#closed) this.#onWrite.fire(`${erase}${text.replaceAll("\n", "\r\n")}${this.#status()}`);
  }

  #status(): string {
    const stages = this.#run && this.#studio.experiments.knownStages(this.#run);
    const running = stages?.find(({ state }) => state === "running");
    if (!stages || !running) return "";
    // Names come from the experiment file, whose checks reject control characters.
    return `${percentDone(runShare(stages))}  ${running.name}: ${stageText(running)}`.slice(0, this.#columns - 1);
  }

  #end(code: number): void {
    if (this.#closed) return;
    this.close();
    this.#onClose.fire(code);
  }
}

/** Expands the file's path at the start of each line so that the problem matcher finds it. */
const located = (message: string, file: string): string =>
  message
    .split("\n")
    .map((line) => (line.startsWith(`${basename(file)}:`) ? join(dirname(file), line) : line))
    .join("\n");
