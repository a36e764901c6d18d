import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { Inspector, type InspectorOptions } from "../../../server/inspect/client.ts";

/** The inspector, with a program in its process that computes nothing. */

const scratch = mkdtempSync(join(tmpdir(), "btx-inspector-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const program = join(scratch, "program.mjs");
writeFileSync(
  program,
  `const empty = { layers: [], experts: [], k: 0, tokens: [], chosen: [], gates: [], surprise: [] };
   const answer = (id) => process.send({ type: "answer", id, answer: { ...empty, predicted: [String(process.pid)] } });
   const fail = (id, message, forUser) => process.send({ type: "failed", id, message, forUser });
   let busy;
   process.on("message", ({ type, id, inspection, params }) => {
     if (type === "cancel") { busy = undefined; return fail(id, "cancelled", true); }
     if (busy !== undefined) return process.exit(9);
     if (inspection === "sample") {
       process.send({ type: "news", id, news: { layers: [1], experts: [{ name: "a" }], k: 1 } });
       process.send({ type: "news", id, news: { text: "x", chosen: [0], gates: [1], surprise: 2 } });
       return process.send({ type: "answer", id, answer: { ended: "tokens" } });
     }
     switch (params.text) {
       case "crash": return process.exit(3);
       case "killed": return process.kill(process.pid, "SIGKILL");
       case "deaf": process.removeAllListeners("message"); return setInterval(() => {}, 1000);
       case "wait": busy = id; return;
       case "forUser": return fail(id, "choose another", true);
       case "broken": return fail(id, "Error: at line 1", false);
       case "nonsense": return process.send({ type: "answer", id, answer: { layers: 1 } });
       case "slow": busy = id; return setTimeout(() => { busy = undefined; answer(id); }, 100);
       default: return answer(id);
     }
   });
   process.on("disconnect", () => process.exit());`,
);

const model = { root: "/x/.btx", run: "r", stage: "s" };
const logged: string[] = [];
const open: Inspector[] = [];
function inspector(options: Partial<InspectorOptions> = {}): Inspector {
  const made = new Inspector({ env: process.env, log: (text) => logged.push(text), program, ...options });
  open.push(made);
  return made;
}
afterEach(() => {
  for (const made of open.splice(0)) made.close();
  logged.length = 0;
});

/** Id of the process that answers. */
async function ask(made: Inspector, text: string, signal?: AbortSignal): Promise<number> {
  const { predicted } = await made.ask("route", { model, text }, signal ? { signal } : {});
  return Number(predicted[0]);
}
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("the inspector", () => {
  test("starts its process for the first question and keeps it for the next", async () => {
    const made = inspector();
    expect(made.pid).toBeUndefined();
    const first = await ask(made, "a");
    expect(made.pid).toBe(first);
    expect(first).not.toBe(process.pid);
    expect(await ask(made, "b")).toBe(first);
  });

  test("asks one question at a time", async () => {
    const made = inspector();
    // The program ends itself when it is asked while it works.
    const answers = await Promise.all([ask(made, "slow"), ask(made, "slow"), ask(made, "a")]);
    expect(new Set(answers).size).toBe(1);
  });

  test("tells what comes before the answer", async () => {
    const news: unknown[] = [];
    const asked = { model, prompt: "", tokens: 1, temperature: 0, topP: 1, randomSeed: 0 };
    const answered = await inspector().ask("sample", asked, { onNews: (told) => news.push(told) });
    expect(answered).toEqual({ ended: "tokens" });
    expect(news).toEqual([
      { layers: [1], experts: [{ name: "a" }], k: 1 },
      { text: "x", chosen: [0], gates: [1], surprise: 2 },
    ]);
  });

  test("passes on what its user can mend, and logs the rest", async () => {
    const made = inspector();
    await expect(ask(made, "forUser")).rejects.toMatchObject({ name: "UserError", message: "choose another" });
    expect(logged).toEqual([]);
    await expect(ask(made, "broken")).rejects.toMatchObject({ name: "UserError", message: /the log says why/ });
    expect(logged).toEqual(["route: Error: at line 1"]);
  });

  test("has no more to do with a process that talks nonsense", async () => {
    const made = inspector();
    const first = await ask(made, "a");
    await expect(ask(made, "nonsense")).rejects.toThrow(/the log says why/);
    expect(logged[0]).toContain("layers");
    expect(await ask(made, "a")).not.toBe(first);
  });
});

describe("a question that is cancelled", () => {
  test("is rejected at once, and the next is answered by the same process", async () => {
    const made = inspector();
    const first = await ask(made, "a");
    const controller = new AbortController();
    const waiting = ask(made, "wait", controller.signal);
    const next = ask(made, "b");
    controller.abort();
    await expect(waiting).rejects.toThrow(/was cancelled/);
    expect(await next).toBe(first);
  });

  test("while it waits is never asked", async () => {
    const made = inspector();
    const controller = new AbortController();
    const [slow, crash] = [ask(made, "slow"), ask(made, "crash", controller.signal)];
    controller.abort();
    await expect(crash).rejects.toThrow(/was cancelled/);
    const pid = await slow;
    expect(await ask(made, "a")).toBe(pid);
    await expect(ask(made, "crash", AbortSignal.abort())).rejects.toThrow(/was cancelled/);
    expect(await ask(made, "a")).toBe(pid);
  });

  test("ends the process when that does not hear, and the next starts a new one", async () => {
    const made = inspector({ patience: 50 });
    const first = await ask(made, "a");
    const controller = new AbortController();
    const deaf = ask(made, "deaf", controller.signal);
    const next = ask(made, "b");
    controller.abort();
    await expect(deaf).rejects.toThrow(/was cancelled/);
    expect(await next).not.toBe(first);
    await vi.waitFor(() => expect(isAlive(first)).toBe(false));
  });
});

describe("a process that crashes", () => {
  test.each([
    ["crash", /stopped \(exit code 3\): ask again/],
    ["killed", /stopped \(killed by SIGKILL\): ask again/],
  ])("refuses the question with one sentence (%s), and the others are answered by a new one", async (text, sentence) => {
    const made = inspector();
    const first = await ask(made, "a");
    const [crashed, next] = [ask(made, text), ask(made, "b")];
    await expect(crashed).rejects.toMatchObject({ name: "UserError", message: sentence });
    expect(await next).not.toBe(first);
  });

  test("or is not there, does so too", async () => {
    const made = inspector({ program: join(scratch, "nothing.mjs") });
    await expect(ask(made, "a")).rejects.toThrow(/stopped \(exit code 1\)/);
  });

  test("while nothing is asked is not missed", async () => {
    const made = inspector();
    const first = await ask(made, "a");
    process.kill(first, "SIGKILL");
    await vi.waitFor(() => expect(made.pid).toBeUndefined());
    expect(await ask(made, "a")).not.toBe(first);
  });
});

describe("a process that nobody asks", () => {
  test("is ended after a while, and started again when it is needed", async () => {
    const made = inspector({ idle: 50 });
    const first = await ask(made, "a");
    await vi.waitFor(() => expect(isAlive(first)).toBe(false));
    expect(made.pid).toBeUndefined();
    expect(await ask(made, "a")).not.toBe(first);
  });

  test("is not ended while it works", async () => {
    await expect(ask(inspector({ idle: 20 }), "slow")).resolves.toBeGreaterThan(0);
  });

  test("is ended with the inspector, who refuses who waits", async () => {
    const made = inspector();
    const first = await ask(made, "a");
    const waiting = [ask(made, "wait"), ask(made, "b")];
    made.close();
    for (const one of waiting) await expect(one).rejects.toThrow(/was closed/);
    await vi.waitFor(() => expect(isAlive(first)).toBe(false));
  });
});
