import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UserError } from "../protocol/errors.ts";
import {
  type FromInspector,
  fromInspectorSchema,
  type Inspected,
  type Inspection,
  type InspectionNews,
  type InspectionResult,
  inspections,
  type ToInspector,
} from "../protocol/inspect.ts";

/** The inspector's program beside this one, in the same build. */
const program = fileURLToPath(new URL("./inspect.js", import.meta.url));

/** How long the process is kept when nothing is asked, ms. */
const idle = 5 * 60_000;
/** How long it may take to end the work on a question that was cancelled before it is ended itself, ms. */
const patience = 3000;

export interface InspectorOptions {
  /** Environment of the process. */
  env: NodeJS.ProcessEnv;
  /** Is given what went wrong inside, for the log. */
  log: (text: string) => void;
  /** In tests: another program, and other times. */
  program?: string;
  idle?: number;
  patience?: number;
}

export interface AskOptions<I extends Inspection> {
  /** The answer is no longer wanted: `ask` rejects at once. */
  signal?: AbortSignal;
  /** Is given what is told before the answer. */
  onNews?: (news: InspectionNews<I>) => void;
}

interface Question {
  id: number;
  inspection: Inspection;
  params: unknown;
  onNews: ((news: unknown) => void) | undefined;
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
  /** Nobody waits for the answer. */
  cancelled: boolean;
}

/**
 * The inspector: a process that is started for the first question, answers one at a time while the others wait, and is
 * ended when nothing was asked for five minutes. When it crashes the question is refused, and the next starts a new one.
 */
export class Inspector {
  readonly #options: Required<InspectorOptions>;
  readonly #waiting: Question[] = [];
  #asked: Question | undefined;
  #process: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ids = 0;

  constructor(options: InspectorOptions) {
    this.#options = { program, idle, patience, ...options };
  }

  /** Id of the process, while there is one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Asks. @throws UserError with what its user can mend, that it was cancelled, or that the process has ended. */
  ask<I extends Inspection>(
    inspection: I,
    params: Inspected<I>,
    { signal, onNews }: AskOptions<I> = {},
  ): Promise<InspectionResult<I>> {
    return new Promise<unknown>((resolve, reject) => {
      const cancel = (): void => this.#cancel(question);
      const settled = (): void => signal?.removeEventListener("abort", cancel);
      const question: Question = {
        id: ++this.#ids,
        inspection,
        params,
        onNews: onNews as Question["onNews"],
        resolve(answer) {
          settled();
          resolve(answer);
        },
        reject(error) {
          settled();
          reject(error);
        },
        cancelled: false,
      };
      signal?.addEventListener("abort", cancel, { once: true });
      this.#waiting.push(question);
      if (signal?.aborted) cancel();
      this.#next();
    }) as Promise<InspectionResult<I>>;
  }

  /** Ends the process; who waits for an answer is refused. */
  close(): void {
    for (const question of this.#waiting.splice(0)) question.reject(new UserError("the inspector was closed"));
    this.#end(new UserError("the inspector was closed"));
  }

  #next(): void {
    if (this.#asked) return;
    clearTimeout(this.#timer);
    const question = this.#waiting.shift();
    if (!question) {
      this.#timer = setTimeout(() => this.#end(), this.#options.idle);
      this.#hold(false);
      return;
    }
    this.#asked = question;
    this.#process ??= this.#start();
    this.#hold(true);
    const { id, inspection, params } = question;
    this.#say({ type: "ask", id, inspection, params });
  }

  #cancel(question: Question): void {
    question.cancelled = true;
    question.reject(new UserError("the inspection was cancelled"));
    const at = this.#waiting.indexOf(question);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#asked !== question) return;
    this.#say({ type: "cancel", id: question.id });
    this.#timer = setTimeout(() => this.#end(), this.#options.patience);
  }

  #start(): ChildProcess {
    const { program: file, env } = this.#options;
    const child = spawn(process.execPath, [file], {
      env,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      windowsHide: true,
    });
    child.on("message", (message) => this.#hear(child, message));
    child.once("error", (error) => this.#gone(child, `it could not be started, ${error.message}`));
    child.once("exit", (code, signal) => this.#gone(child, `it was ended by ${signal ?? `an error, code ${code}`}`));
    return child;
  }

  #say(message: ToInspector): void {
    // A process that is gone says so by itself.
    this.#process?.send(message, () => {});
  }

  #hear(child: ChildProcess, given: unknown): void {
    if (child !== this.#process) return;
    const question = this.#asked;
    try {
      const message: FromInspector = fromInspectorSchema.parse(given);
      if (!question || message.id !== question.id) return;
      const { news, result } = inspections[question.inspection];
      if (message.type === "news") {
        if (!question.cancelled) question.onNews?.(news.parse(message.news));
        return;
      }
      if (message.type === "answer") question.resolve(result.parse(message.answer));
      else question.reject(message.mendable ? new UserError(message.message) : this.#logged(message.message));
    } catch (error) {
      // Another program's words: nothing more is expected of it.
      this.#end(this.#logged(`${error}`));
      return;
    }
    this.#asked = undefined;
    this.#next();
  }

  #logged(trace: string): UserError {
    this.#options.log(`${this.#asked?.inspection}: ${trace}`);
    return new UserError("the inspector failed: the log says why");
  }

  /** Ends the process. @param why the question it works on is refused. */
  #end(why = new UserError("the inspector was ended")): void {
    clearTimeout(this.#timer);
    const [child, question] = [this.#process, this.#asked];
    this.#process = undefined;
    this.#asked = undefined;
    child?.kill("SIGKILL");
    question?.reject(why);
    if (this.#waiting.length > 0) this.#next();
  }

  #gone(child: ChildProcess, how: string): void {
    if (child !== this.#process) return;
    this.#end(new UserError(`the process that looks into models is gone, ${how}: ask again, a new one starts then`));
  }

  /** Whether this process stays alive for the other's sake: while something is asked. */
  #hold(held: boolean): void {
    const act = held ? "ref" : "unref";
    this.#process?.[act]();
    this.#process?.channel?.[act]();
    if (!held) this.#timer?.unref();
  }
}
