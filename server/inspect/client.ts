import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UserError } from "../protocol/errors.ts";
import {
  type FromInspector,
  fromInspectorSchema,
  type Inspection,
  type InspectionNews,
  type InspectionParams,
  type InspectionResult,
  inspections,
  type ToInspector,
} from "../protocol/inspect.ts";

/** The inspector's program, which is next to this one in the build. */
const program = fileURLToPath(new URL("./inspect.js", import.meta.url));

/** How long an idle process is kept, ms. */
const idle = 5 * 60_000;
/** How long the process may take to stop working on a cancelled question before it is killed, ms. */
const patience = 3000;

export interface InspectorOptions {
  /** Environment of the process. */
  env: NodeJS.ProcessEnv;
  /** Receives stack traces for the log. */
  log: (text: string) => void;
  /** Tests pass another program and shorter times. */
  program?: string;
  idle?: number;
  patience?: number;
}

export interface AskOptions<I extends Inspection> {
  /** Cancels the question: `ask` rejects at once. */
  signal?: AbortSignal;
  /** Receives what is reported before the answer. */
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
 * The inspector: a process that starts with the first question, answers one at a time while the others wait, and ends
 * after five idle minutes. When it crashes, the question it was working on fails and the next one starts a new process.
 */
export class Inspector {
  readonly #options: Required<InspectorOptions>;
  readonly #waiting: Question[] = [];
  #current: Question | undefined;
  #process: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ids = 0;

  constructor(options: InspectorOptions) {
    this.#options = { program, idle, patience, ...options };
  }

  /** Process id, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Asks a question. @throws UserError when it cannot be answered, was cancelled, or the process ended. */
  ask<I extends Inspection>(
    inspection: I,
    params: InspectionParams<I>,
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

  /** Ends the process; all open questions fail. */
  close(): void {
    for (const question of this.#waiting.splice(0)) question.reject(new UserError("the inspector was closed"));
    this.#end(new UserError("the inspector was closed"));
  }

  #next(): void {
    if (this.#current) return;
    clearTimeout(this.#timer);
    const question = this.#waiting.shift();
    if (!question) {
      this.#timer = setTimeout(() => this.#end(), this.#options.idle);
      this.#keepAlive(false);
      return;
    }
    this.#current = question;
    this.#process ??= this.#start();
    this.#keepAlive(true);
    const { id, inspection, params } = question;
    this.#send({ type: "ask", id, inspection, params });
  }

  #cancel(question: Question): void {
    question.cancelled = true;
    question.reject(new UserError("the inspection was cancelled"));
    const at = this.#waiting.indexOf(question);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#current !== question) return;
    this.#send({ type: "cancel", id: question.id });
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
    child.on("message", (message) => this.#receive(child, message));
    child.once("error", (error) => this.#ended(child, `it could not be started: ${error.message}`));
    child.once("exit", (code, signal) => this.#ended(child, signal ? `killed by ${signal}` : `exit code ${code}`));
    return child;
  }

  #send(message: ToInspector): void {
    // If the process has ended, its `exit` event reports that.
    this.#process?.send(message, () => {});
  }

  #receive(child: ChildProcess, received: unknown): void {
    if (child !== this.#process) return;
    const question = this.#current;
    try {
      const message: FromInspector = fromInspectorSchema.parse(received);
      if (!question || message.id !== question.id) return;
      const { news, result } = inspections[question.inspection];
      if (message.type === "news") {
        if (!question.cancelled) question.onNews?.(news.parse(message.news));
        return;
      }
      if (message.type === "answer") question.resolve(result.parse(message.answer));
      else question.reject(message.forUser ? new UserError(message.message) : this.#logged(message.message));
    } catch (error) {
      // Not a message of the inspector: this is another program, which cannot answer.
      this.#end(this.#logged(`${error}`));
      return;
    }
    this.#current = undefined;
    this.#next();
  }

  #logged(trace: string): UserError {
    this.#options.log(`${this.#current?.inspection}: ${trace}`);
    return new UserError("the inspector failed: the log says why");
  }

  /** Ends the process. @param why the error of the question it was working on. */
  #end(why = new UserError("the inspector was ended")): void {
    clearTimeout(this.#timer);
    const [child, question] = [this.#process, this.#current];
    this.#process = undefined;
    this.#current = undefined;
    child?.kill("SIGKILL");
    question?.reject(why);
    if (this.#waiting.length > 0) this.#next();
  }

  #ended(child: ChildProcess, how: string): void {
    if (child !== this.#process) return;
    this.#end(new UserError(`the inspector stopped (${how}): ask again to start a new one`));
  }

  /** Keeps this process alive while a question is open, and lets it end otherwise. */
  #keepAlive(held: boolean): void {
    const act = held ? "ref" : "unref";
    this.#process?.[act]();
    this.#process?.channel?.[act]();
    if (!held) this.#timer?.unref();
  }
}
