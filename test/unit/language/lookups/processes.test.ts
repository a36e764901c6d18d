import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type LookupLimits, LookupProcesses } from "../../../../server/language/lookups/processes.ts";
import type { AskOptions, FolderEntry } from "../../../../server/language/lookups/questions.ts";
import { UserError } from "../../../../server/protocol/errors.ts";

/** The processes that look things up, with a program in them that reads no disk. */

const scratch = mkdtempSync(join(tmpdir(), "btx-lookups-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const program = join(scratch, "program.mjs");
writeFileSync(
  program,
  `const entries = (name) => [{ name, isFolder: false }];
   let asked;
   process.on("message", ({ type, id, asked: question, folders }) => {
     const fail = (message, forUser) => process.send({ type: "failed", id, message, forUser });
     if (type === "cancel") return asked === "stubborn" ? undefined : fail("dropped", true);
     asked = question.folder;
     switch (asked) {
       case "hang": case "stubborn": return;
       case "spin": for (;;);
       case "crash": return process.exit(3);
       case "memory": { const all = []; for (;;) all.push(new Array(1e5).fill(0).map(() => ({}))); }
       case "mistake": return fail("a sentence", true);
       case "broken": return fail("Error: at line 1", false);
       case "folders": return process.send({ type: "answer", id, answer: entries(JSON.stringify(folders ?? null)) });
       default: return process.send({ type: "answer", id, answer: entries(String(process.pid)) });
     }
   });
   process.on("disconnect", () => process.exit());
   process.send({ type: "ready" });`,
);

const open: LookupProcesses[] = [];
const logged: string[] = [];
let folders: string[] | undefined;
function lookups(limits: Partial<LookupLimits> = {}): LookupProcesses {
  const log = (text: string): number => logged.push(text);
  const made = new LookupProcesses({ env: process.env, folders: () => folders, log, program, limits });
  open.push(made);
  return made;
}
afterEach(() => {
  for (const made of open.splice(0)) made.close();
  logged.length = 0;
  folders = undefined;
});

/** What the program is to do for a file, and what it answers: by default the id of its process. */
async function ask(made: LookupProcesses, what: string, options: Partial<AskOptions> = {}): Promise<string> {
  const found: FolderEntry[] = await made.ask("entries", { folder: what }, { owner: "a", ms: 60_000, ...options });
  return found[0]!.name;
}
const failure = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
/** Leaves a question open; closing rejects it. */
const leave = (work: Promise<unknown>): void => void work.catch(() => {});

describe("a process that looks things up", () => {
  test("answers one question after the other", async () => {
    const made = lookups();
    const first = await ask(made, "x");
    expect(await ask(made, "x")).toBe(first);
    expect(made.pids).toEqual([Number(first)]);
  });

  test("reports a mistake with its sentence, and anything else as an error of the program", async () => {
    const made = lookups();
    expect(await failure(ask(made, "mistake"))).toEqual(new UserError("a sentence"));
    const broken = await failure(ask(made, "broken"));
    expect(broken).toEqual(new Error("Error: at line 1"));
    expect(broken).not.toBeInstanceOf(UserError);
  });

  test("is told what it may read with each question", async () => {
    const made = lookups();
    expect(await ask(made, "folders")).toBe("null");
    folders = ["/work"];
    expect(await ask(made, "folders")).toBe('["/work"]');
  });

  test.each(["hang", "spin"])("is killed when it takes too long (%s), and the next one answers", async (what) => {
    const made = lookups();
    const first = await ask(made, "x");
    const error = await failure(ask(made, what, { ms: 300 }));
    expect(error).toEqual(new UserError("looking at its files took longer than 0 seconds"));
    expect(await ask(made, "x")).not.toBe(first);
  });

  test("is replaced after it has needed too much memory or has crashed", async () => {
    const made = lookups({ memory: 32 });
    const gone = new UserError("looking at its files needed too much memory, or crashed");
    const first = await ask(made, "x");
    expect(await failure(ask(made, "crash"))).toEqual(gone);
    expect(await failure(ask(made, "memory"))).toEqual(gone);
    expect(await ask(made, "x")).not.toBe(first);
    expect(logged).toEqual(["entries: its process ended with 3", expect.stringContaining("entries: its process ")]);
  });

  test("goes on after a question that is dropped, or is killed if it does not obey", async () => {
    const made = lookups({ processes: 1, patience: 200 });
    const first = await ask(made, "x");
    const reason = new Error("typed on");
    const drop = async (what: string): Promise<void> => {
      const controller = new AbortController();
      const open = failure(ask(made, what, { signal: controller.signal }));
      controller.abort(reason);
      expect(await open).toBe(reason);
    };
    await drop("hang");
    expect(await ask(made, "x")).toBe(first);
    await drop("stubborn");
    const second = await ask(made, "x");
    expect(second).not.toBe(first);
    await drop("spin");
    expect(await ask(made, "x")).not.toBe(second);
    expect(await failure(ask(made, "x", { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });

  test("is ended when all is closed, and its questions fail", async () => {
    const made = lookups({ processes: 1 });
    const [running, waiting] = [failure(ask(made, "hang")), failure(ask(made, "x"))];
    made.close();
    for (const open of [running, waiting, ask(made, "x")]) expect(await failure(open)).toBeInstanceOf(UserError);
    expect(made.pids).toEqual([]);
  });
});

test("a question that a person waits for comes before checks", async () => {
  const made = lookups({ processes: 1 });
  const order: string[] = [];
  const noted = (name: string, ms: number): Promise<unknown> => ask(made, "x", { ms }).then(() => order.push(name));
  await Promise.all([noted("first", 30_000), noted("check", 30_000), noted("hover", 5000)]);
  expect(order).toEqual(["first", "hover", "check"]);
});

describe("files whose lookups never end", () => {
  test("hold up no other file, however many they are", async () => {
    const made = lookups({ slowAfter: 1000 });
    for (let file = 0; file < 6; file++) leave(ask(made, file % 2 === 0 ? "hang" : "spin", { owner: `slow${file}` }));
    for (let round = 0; round < 3; round++) expect(await ask(made, "x", { owner: "quick" })).toMatch(/^\d+$/);
    expect(made.pids.length).toBeLessThanOrEqual(3);
  });

  test("have their turn one after the other", async () => {
    const made = lookups({ slowAfter: 50 });
    const files = Array.from({ length: 5 }, (_, i) => failure(ask(made, "hang", { owner: `${i}`, ms: 300 })));
    for (const ended of await Promise.all(files)) expect(ended).toBeInstanceOf(UserError);
  });

  test("are no longer slow once they have been quick", async () => {
    const made = lookups({ processes: 2, slow: 1, slowAfter: 200 });
    await failure(ask(made, "hang", { owner: "a", ms: 500 }));
    await ask(made, "x", { owner: "a" });
    leave(ask(made, "hang", { owner: "b" }));
    // Were it slow, it would wait for "b", which does not end.
    expect(await ask(made, "x", { owner: "a" })).toMatch(/^\d+$/);
  });
});
