import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CancellationTokenSource } from "vscode-languageserver/node";
import { Inspector } from "../../server/inspect/client.ts";
import type { StageReference } from "../../server/protocol/editor/basics.ts";
import { backendNotifications, type Request } from "../../server/protocol/editor.ts";
import { type RoutedText, routedTextSchema } from "../../server/protocol/inspect.ts";
import { listRuns } from "../../server/runs/runs.ts";
import { node } from "./btx.ts";
import { type LanguageClient, startLanguageServer } from "./languageClient.ts";
import { finishedExperiment, scratch } from "./scratch.ts";

/** The inspector's own process, asked by the backend of an editor and by itself. */

const program = fileURLToPath(new URL("../../dist/inspect.js", import.meta.url));
const text = "branch train mix. Zwölf Boxkämpfer 🥊 of the experts\n".repeat(3);

let client: LanguageClient;
let model: StageReference;
const told: { id: string; axes?: object; token?: { text: string } }[] = [];
const ask = (name: Request, params: object) => client.connection.sendRequest<Record<string, unknown>>(name, params);
const trust = (trusted: boolean) => client.connection.sendNotification("btx/trustChanged", { trusted });
const sampling = (id: string, tokens = 8) => ({
  model,
  id,
  prompt: "branch",
  tokens,
  temperature: 0,
  topP: 1,
  randomSeed: 0,
});

beforeAll(async () => {
  client = await startLanguageServer(undefined, [scratch]);
  client.connection.onNotification("btx/sampledToken", (given) => {
    told.push(backendNotifications["btx/sampledToken"].parse(given));
  });
  const { root } = finishedExperiment();
  model = { root, run: (await listRuns(root))[0]!.id, stage: "finetune" };
});
afterAll(() => client.stop());

describe("the backend", () => {
  it("routes and samples nothing in a workspace that is not trusted", async () => {
    await trust(false);
    await expect(ask("btx/route", { model, text })).rejects.toThrow(/trusted workspace only/);
    await expect(ask("btx/sampleTokens", sampling("0"))).rejects.toThrow(/trusted workspace only/);
  });

  it("routes a text longer than the context", async () => {
    await trust(true);
    const routed: RoutedText = routedTextSchema.parse(await ask("btx/route", { model, text }));
    const { tokens, layers, experts, k, chosen, gates, surprise, predicted } = routed;
    expect([layers, experts.map(({ name }) => name), k]).toEqual([[0], ["words", "sums", "seed"], 2]);
    expect(tokens.map(({ start, end }) => text.slice(start, end)).join("")).toBe(text);
    expect(tokens).toHaveLength(Buffer.byteLength(text));
    expect([chosen.length, gates.length]).toEqual([2 * tokens.length, 2 * tokens.length]);
    for (let i = 0; i < gates.length; i += 2) expect(gates[i]! + gates[i + 1]!).toBeCloseTo(1, 4);
    expect([surprise.length, predicted.length]).toEqual([tokens.length, tokens.length]);
  });

  it("streams a continuation, with what routing refers to first", async () => {
    expect(await ask("btx/sampleTokens", sampling("1"))).toEqual({ ended: "tokens" });
    const own = told.filter(({ id }) => id === "1");
    expect(own[0]).toMatchObject({ axes: { layers: [0], k: 2 } });
    expect(own.slice(1).map(({ token }) => token!.text.length)).toHaveLength(8);
  });

  it("ends the work on a request that is cancelled, and answers the next", async () => {
    const source = new CancellationTokenSource();
    const long = "branch train mix ".repeat(20_000);
    const routing = client.connection.sendRequest("btx/route", { model, text: long }, source.token);
    const next = ask("btx/route", { model, text: "the" });
    source.cancel();
    await expect(routing).rejects.toThrow();
    expect((await next).tokens).toHaveLength(3);
  });

  it("says what is wrong with a request", async () => {
    const wrong: [object, RegExp][] = [
      [{ model: { ...model, stage: "nothing" }, text }, /has no model "nothing"/],
      [{ model, text, off: ["code"] }, /has no expert "code"; it has words, sums, seed/],
      [{ model: { ...model, stage: "seed" }, text, k: 2 }, /its layers are dense/],
      [{ model, text: 1 }, /btx\/route/],
    ];
    for (const [params, sentence] of wrong) await expect(ask("btx/route", params)).rejects.toThrow(sentence);
  });
});

describe("the process", () => {
  it("answers all that is asked of a model, and again after it was killed", async () => {
    const inspector = new Inspector({ env: process.env, log: () => {}, program });
    try {
      const { domains } = await inspector.ask("without", { model, expert: "sums" });
      expect(domains.map(({ domain }) => domain)).toEqual(["words", "sums"]);
      const killed = inspector.ask("route", { model, text: text.repeat(1000) });
      process.kill(inspector.pid!, "SIGKILL");
      await expect(killed).rejects.toThrow(/stopped \(killed by SIGKILL\)/);
      const facts = await inspector.ask("expert", { model, expert: "sums" });
      expect(facts.distances.map(({ is, to }) => `${is} ${to}`)).toEqual(["seed seed", "expert words", "expert seed"]);
      const { saturation } = await inspector.ask("saturation", { model, other: { ...model, stage: "mix" } });
      expect(saturation[0]).toHaveLength(3);
    } finally {
      inspector.close();
    }
  });

  it("ends with its parent", async () => {
    const child = spawn(node, [program], { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced" });
    const ended = once(child, "exit");
    child.disconnect();
    expect(await ended).toEqual([0, null]);
  });
});
