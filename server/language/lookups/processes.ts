import { type ChildProcess, spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { UserError } from "../../protocol/errors.ts";
import type { Answer, Asked, AskOptions, FromLookup, Lookup, ToLookup } from "./questions.ts";

/** The program of main.ts, which lies beside this one in the build. */
const program = fileURLToPath(new URL("./lookup.js", import.meta.url));

export interface LookupOptions {
  /** Environment of the processes. */
  env: NodeJS.ProcessEnv;
  /** The folders that may be read; undefined: everything. Asked for each question. */
  folders: () => readonly string[] | undefined;
  /** Receives stack traces for the log. */
  log: (text: string) => void;
  /** Tests pass another program and other limits. */
  program?: string;
  limits?: Partial<LookupLimits>;
}

export interface LookupLimits {
  /** Processes at a time. */
  processes: number;
  /** Processes that work for files which take long, at most; the others stay free for the rest. */
  slow: number;
  /** Work that takes longer counts as slow, ms. */
  slowAfter: number;
  /** How long a process may take to drop a question before it is killed, ms. */
  patience: number;
  /** How long an idle process is kept, ms. */
  idle: number;
  /** Memory for objects of a process, MiB. */
  memory: number;
}

const standardLimits: LookupLimits = {
  processes: 3,
  slow: 2,
  slowAfter: 1000,
  patience: 500,
  idle: 5 * 60_000,
  memory: 1024,
};

/** How long a process may take to start, ms. */
const longestStart = 30_000;

interface Question extends AskOptions {
  id: number;
  lookup: Lookup;
  asked: unknown;
  settle: (settle: () => void) => void;
  resolve: (answer: unknown) => void;
  reject: (error: unknown) => void;
  /** Nobody waits for the answer. */
  dropped: boolean;
}

interface Worker {
  child: ChildProcess;
  /** It has started. */
  isReady: boolean;
  /** What it works on. */
  question?: Question;
  timers: NodeJS.Timeout[];
  /** It counts among those that work for slow files. */
  isSlow: boolean;
  /** What it works on has taken long. */
  isLate: boolean;
}

/**
 * Looks things up in other processes, so that the one that answers the editor never waits for a disk, and outlives a
 * lookup that needs too much time or memory: its process is killed, and another one is started for the next question.
 *
 * Each process works on one question at a time. Files whose lookups take long share some of the processes, so that
 * those of other files are never held up by them for long.
 */
export class LookupProcesses {
  readonly #options: LookupOptions;
  readonly #limits: LookupLimits;
  readonly #waiting: Question[] = [];
  readonly #workers = new Set<Worker>();
  /** Owners whose last lookup took long. */
  readonly #slowOwners = new Set<string>();
  #ids = 0;
  #closed = false;

  constructor(options: LookupOptions) {
    this.#options = options;
    this.#limits = { ...standardLimits, ...options.limits };
  }

  /** Process ids, for tests. */
  get pids(): number[] {
    return [...this.#workers].flatMap(({ child }) => child.pid ?? []);
  }

  readonly ask = <L extends Lookup>(lookup: L, asked: Asked<L>, options: AskOptions): Promise<Answer<L>> =>
    new Promise<unknown>((resolve, reject) => {
      const drop = (): void => this.#drop(question);
      const question: Question = {
        ...options,
        id: ++this.#ids,
        lookup,
        asked,
        settle(settle) {
          options.signal?.removeEventListener("abort", drop);
          settle();
        },
        resolve: (answer) => question.settle(() => resolve(answer)),
        reject: (error) => question.settle(() => reject(error)),
        dropped: false,
      };
      if (this.#closed) return reject(new UserError("the language server is closing"));
      options.signal?.addEventListener("abort", drop, { once: true });
      this.#waiting.push(question);
      if (options.signal?.aborted) drop();
      this.#next();
    }) as Promise<Answer<L>>;

  /** Ends the processes; all open questions fail. */
  close(): void {
    this.#closed = true;
    const reason = new UserError("the language server is closing");
    for (const question of this.#waiting.splice(0)) question.reject(reason);
    for (const worker of this.#workers) this.#end(worker, reason);
  }

  /**
   * Gives waiting questions to idle processes; those of slow owners only as far as there is room. First come those that
   * may take the least time, because a person waits for them.
   */
  #next(): void {
    for (const question of this.#waiting.toSorted((a, b) => a.ms - b.ms)) {
      const isSlow = this.#slowOwners.has(question.owner);
      if (isSlow && this.#slowCount() >= this.#limits.slow) continue;
      const idle = [...this.#workers].find((worker) => worker.question === undefined);
      if (!idle && this.#workers.size >= this.#limits.processes) return;
      this.#waiting.splice(this.#waiting.indexOf(question), 1);
      this.#give(question, idle ?? this.#start(), isSlow);
    }
  }

  #slowCount(): number {
    return [...this.#workers].filter(({ question, isSlow }) => question !== undefined && isSlow).length;
  }

  #give(question: Question, worker: Worker, isSlow: boolean): void {
    const { id, lookup, asked } = question;
    clearTimers(worker);
    worker.question = question;
    worker.isSlow = isSlow;
    if (worker.isReady) this.#time(worker, question);
    else worker.timers.push(setTimeout(() => this.#end(worker, tooLong(longestStart)), longestStart));
    hold(worker, true);
    this.#say(worker, { type: "ask", id, lookup, asked, folders: this.#options.folders() });
  }

  /** Limits the time of a question, in which a process does not have to start first. */
  #time(worker: Worker, { ms }: Question): void {
    worker.timers.push(
      setTimeout(() => this.#end(worker, tooLong(ms)), ms),
      setTimeout(() => this.#slow(worker), this.#limits.slowAfter),
    );
  }

  /** The question has turned out to be slow: it goes on if few others are, else it waits for one of them to end. */
  #slow(worker: Worker): void {
    const { question } = worker;
    if (!question) return;
    worker.isLate = true;
    this.#slowOwners.add(question.owner);
    if (worker.isSlow) return;
    if (this.#slowCount() < this.#limits.slow) {
      worker.isSlow = true;
      return;
    }
    delete worker.question;
    this.#waiting.push(question);
    this.#end(worker);
  }

  #drop(question: Question): void {
    question.reject(question.signal?.reason);
    question.dropped = true;
    const at = this.#waiting.indexOf(question);
    if (at >= 0) this.#waiting.splice(at, 1);
    const worker = [...this.#workers].find((one) => one.question === question);
    if (!worker) return;
    this.#say(worker, { type: "cancel", id: question.id });
    worker.timers.push(setTimeout(() => this.#end(worker), this.#limits.patience));
  }

  #start(): Worker {
    const { memory } = this.#limits;
    const child = spawn(process.execPath, [`--max-old-space-size=${memory}`, this.#options.program ?? program], {
      env: this.#options.env,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      windowsHide: true,
    });
    const worker: Worker = { child, isReady: false, timers: [], isSlow: false, isLate: false };
    this.#workers.add(worker);
    child.on("message", (message) => this.#hear(worker, message as FromLookup));
    child.once("error", (error) => this.#gone(worker, `could not be started, ${error.message}`));
    child.once("exit", (code, signal) => this.#gone(worker, signal ? `was killed by ${signal}` : `ended with ${code}`));
    stepBack(child);
    return worker;
  }

  #say(worker: Worker, message: ToLookup): void {
    // A process that has ended reports so itself.
    worker.child.send(message, () => {});
  }

  #hear(worker: Worker, message: FromLookup): void {
    const { question } = worker;
    if (message.type === "ready") {
      worker.isReady = true;
      if (!question || question.dropped) return;
      clearTimers(worker);
      this.#time(worker, question);
      return;
    }
    if (!question || message.id !== question.id) return;
    if (!worker.isLate && !question.dropped) this.#slowOwners.delete(question.owner);
    if (message.type === "answer") question.resolve(message.answer);
    else if (message.forUser) question.reject(new UserError(message.message));
    else question.reject(new Error(message.message));
    this.#rest(worker);
    this.#next();
  }

  /** The process has nothing to do. */
  #rest(worker: Worker): void {
    clearTimers(worker);
    delete worker.question;
    worker.isSlow = false;
    worker.isLate = false;
    worker.timers.push(setTimeout(() => this.#end(worker), this.#limits.idle).unref());
    hold(worker, false);
  }

  /** Kills a process. @param why the error of the question that it works on */
  #end(worker: Worker, why?: Error): void {
    clearTimers(worker);
    this.#workers.delete(worker);
    worker.child.kill("SIGKILL");
    worker.question?.reject(why);
    delete worker.question;
    if (!this.#closed) this.#next();
  }

  /** A process has ended by itself. */
  #gone(worker: Worker, how: string): void {
    if (!this.#workers.has(worker)) return;
    if (worker.question) this.#options.log(`${worker.question.lookup}: its process ${how}`);
    this.#end(worker, new UserError("looking at its files needed too much memory, or crashed"));
  }
}

const tooLong = (ms: number): UserError =>
  new UserError(`looking at its files took longer than ${Math.round(ms / 1000)} seconds`);

function clearTimers({ timers }: Worker): void {
  for (const timer of timers.splice(0)) clearTimeout(timer);
}

/** Keeps this process alive while a question is open, and lets it end otherwise. */
function hold({ child }: Worker, held: boolean): void {
  const act = held ? "ref" : "unref";
  child[act]();
  child.channel?.[act]();
}

/** What the person does comes first. */
function stepBack({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended, or the system does not allow it.
  }
}
