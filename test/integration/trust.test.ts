import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type Request, requests } from "../../server/protocol/editor.ts";
import { hubMessageSchema, type PageMessage, type Question, ticketSchema } from "../../server/protocol/stream.ts";
import { questionsNeedTrust, requestsNeedTrust } from "../../server/protocol/trust.ts";
import { stagePaths } from "../../server/runs/layout.ts";
import { writeManyMetrics } from "../fixtures/manyMetrics.ts";
import { type LanguageClient, startLanguageServer } from "./languageClient.ts";
import { newestRun, readRunRecord } from "./results.ts";
import { copyOfFinished, scratch, scratchFolder } from "./scratch.ts";

/** Every request and every question, asked of a backend whose workspace is not trusted. */

let client: LanguageClient;
beforeAll(async () => {
  client = await startLanguageServer(undefined, [scratch]);
});
afterAll(() => client.stop());

const { root, file, folder } = copyOfFinished();
const record = readRunRecord(root, newestRun(root));
const run = { root, run: record.id };
const keys = record.stages.map(({ key }) => key);
const stage = { ...run, stage: "finetune" };
const key = record.stages.find(({ name }) => name === "finetune")!.key;
const elsewhere = join(scratchFolder(), "new");

const params: Record<Request, object> = {
  "btx/startRun": { file },
  "btx/resumeRun": run,
  "btx/stopRun": run,
  "btx/watchRuns": { files: [file] },
  "btx/runLog": { ...run, offset: 0 },
  "btx/stageNames": { file },
  "btx/listStages": run,
  "btx/rerunLoses": stage,
  "btx/rerun": { ...stage, keys },
  "btx/deleteLoses": run,
  "btx/deleteRun": { ...run, keys },
  "btx/unusedStages": { root },
  "btx/cleanStages": { root, keys },
  "btx/sample": { ...stage, id: "1", prompt: "a", tokens: 4, temperature: 0, randomSeed: 0 },
  "btx/route": { model: stage, text: "a" },
  "btx/sampleTokens": { model: stage, id: "1", prompt: "a", tokens: 4, temperature: 0, topP: 1, randomSeed: 0 },
  "btx/exportModel": { ...stage, folder: elsewhere },
  "btx/compareRuns": { runs: [run] },
  "btx/verifyRun": { ...run, id: "1" },
  "btx/forkRun": { ...run, stage: "seed" },
  "btx/writeDemo": { folder: elsewhere },
  "btx/devices": {},
  "btx/engines": {},
  "btx/installEngine": { id: "1", engine: "tfjs-node" },
  "btx/computeText": { text: "domains:\n  a: {files: a.txt}\n" },
  "btx/openStream": { origin: "vscode-webview://1abc2def" },
};

const model = { root, key };
const series = [model];
const selection = { series, axis: "step", fromZero: false } as const;
type Asked<Q extends Question = Question> = Q extends Q ? Omit<Q, "id"> : never;
const questions: { [T in Question["type"]]: Asked<Extract<Question, { type: T }>> } = {
  runs: { type: "runs", roots: [root] },
  open: { type: "open", runs: [run] },
  view: { type: "view", ...selection, measures: ["loss"], columns: 100, smoothing: 1 },
  statistics: { type: "statistics", ...selection, measure: "loss" },
  export: { type: "export", ...selection },
  openRouting: { type: "openRouting", models: [model] },
  routing: { type: "routing", model, snapshots: [0], measure: "routedShare" },
  routingLayers: { type: "routingLayers", model, snapshot: 0 },
  routingPairs: { type: "routingPairs", model, what: "coActivation", snapshot: 0, domain: 0 },
  routingHistogram: { type: "routingHistogram", model, probe: -1, layer: 0, domain: 0 },
  routingLoad: { type: "routingLoad", model, layer: 0, domain: 0, columns: 10 },
  routingSaturation: { type: "routingSaturation", model },
  inspect: { type: "inspect", inspection: "route", params: { model: stage, text: "a" } },
  expertOrigin: { type: "expertOrigin", model, expert: "words" },
};

/** All files of a folder, with their sizes and times. */
function filesOf(where: string): string[] {
  const entries = readdirSync(where, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}`)
    .sort();
}

const sentence = (needed: string): string =>
  `${needed} in a trusted workspace only: choose Manage Workspace Trust and trust this one.`;

/** What the backend answers; its sentence where it refuses. */
const answerTo = (name: Request): Promise<unknown> =>
  client.connection.sendRequest(name, params[name]).then(
    () => "answered",
    (error: Error) => error.message,
  );

describe("a backend whose workspace is not trusted", () => {
  it("refuses each request of the editor that needs trust, answers the others, and writes nothing", async () => {
    const before = filesOf(folder);
    for (const name of Object.keys(requests) as Request[]) {
      const needed = requestsNeedTrust[name];
      expect(await answerTo(name), name).toBe(needed === false ? "answered" : sentence(needed));
    }
    expect(filesOf(folder)).toEqual(before);
    expect(() => statSync(elsewhere)).toThrow("ENOENT");
  });

  it("refuses each question of a page that needs trust, answers the others, and writes nothing", async () => {
    // So many steps that their values would be kept in a file beside them.
    writeManyMetrics(stagePaths(root, key).metrics, 250_000);
    const before = filesOf(folder);
    const origin = "vscode-webview://1abc2def";
    const ticket = ticketSchema.parse(await client.connection.sendRequest("btx/openStream", { origin }));
    const protocols = ["btx-stream", `btx-token.${ticket.token}`];
    const socket = new WebSocket(`ws://127.0.0.1:${ticket.port}/stream`, protocols, { origin });
    await once(socket, "open");
    const heard: string[] = [];
    const problems = new Map<number, string>();
    const ask = (id: number, type: Question["type"]) =>
      new Promise<void>((resolve) => {
        socket.on("message", function hear(data, binary) {
          const message = binary ? undefined : hubMessageSchema.parse(JSON.parse(String(data)));
          if (message?.type === "problem") problems.set(message.id, message.text);
          // A view ends with no message: what comes first is its answer.
          if (type === "view" ? !binary : message?.id !== id || message.type === "reading") return;
          if (["done", "problem", "opened", "routingOpened"].includes(message?.type ?? "done")) {
            socket.off("message", hear);
            resolve();
          }
        });
        socket.send(JSON.stringify({ ...questions[type], id } as PageMessage));
      });
    const types = Object.keys(questions) as Question["type"][];
    for (const [id, type] of types.entries()) {
      await ask(id, type);
      const needed = questionsNeedTrust[type];
      if (needed !== false) expect(problems.get(id), type).toBe(sentence(needed));
      else expect(problems.get(id) ?? "", type).not.toContain("trusted workspace");
      heard.push(type);
    }
    socket.terminate();
    expect(heard).toEqual(types);
    expect(filesOf(folder)).toEqual(before);
  });
});
