import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { decodeFrame } from "../../server/protocol/frame.ts";
import { startSchema } from "../../server/protocol/page.ts";
import { hubMessageSchema, type PageMessage, ticketSchema } from "../../server/protocol/stream.ts";
import { runsFolder } from "../../server/runs/layout.ts";
import { copyOfFinished } from "./scratch.ts";
import { serve } from "./serving.ts";

describe("btx serve", () => {
  it("serves the page and the curves of the runs to who has the token, and ends with Ctrl-C", async () => {
    const { folder, root } = copyOfFinished();
    const run = readdirSync(runsFolder(root))[0]!;
    const { command, address, ask } = await serve([], folder);
    expect(address.hostname).toBe("127.0.0.1");
    const page = await fetch(address);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).not.toMatch(/unsafe|\*/);
    const text = await page.text();
    for (const [, file] of text.matchAll(/(?:src|href)="([^"]+)"/g))
      expect((await fetch(new URL(file!, address))).status).toBe(200);
    expect((await ask("/ticket", "wrong")).status).toBe(403);
    expect(startSchema.parse(await (await ask("/start")).json())).toEqual({ runs: [] });
    const ticket = ticketSchema.parse(await (await ask("/ticket")).json());
    const socket = new WebSocket(`ws://127.0.0.1:${ticket.port}/stream`, ["btx-stream", `btx-token.${ticket.token}`], {
      origin: address.origin,
    });
    socket.binaryType = "arraybuffer";
    await once(socket, "open");
    const send = (message: PageMessage) => socket.send(JSON.stringify(message));
    send({ type: "open", id: 1, runs: [{ root, run }] });
    const [said] = await once(socket, "message");
    const opened = hubMessageSchema.parse(JSON.parse(String(said)));
    const stages = opened.type === "opened" ? opened.runs[0]!.stages : [];
    expect(stages.map(({ name }) => name)).toContain("finetune");
    const seed = stages.find(({ name }) => name === "seed")!;
    send({
      type: "view",
      id: 2,
      series: [{ root, key: seed.key }],
      measures: ["loss", "memory"],
      axis: "flops",
      fromZero: false,
      columns: 500,
      smoothing: 1,
    });
    const [bytes] = await once(socket, "message");
    const frame = decodeFrame(bytes as ArrayBuffer);
    // 3200 tokens in batches of 4 sequences of 40: 20 steps.
    expect(frame.kind === "points" && frame.lines.map(({ measure, raw }) => `${measure} ${raw}`)).toEqual([
      "loss 20",
      "memory 20",
    ]);
    process.kill(command.pid, "SIGINT");
    expect(await command.ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("serves every page, and asks models for them", async () => {
    const { folder, root } = copyOfFinished();
    const run = readdirSync(runsFolder(root))[0]!;
    const { address, ask, command } = await serve([run], folder);
    for (const page of ["metrics", "routing", "expert", "tokens"]) {
      const answer = await fetch(new URL(page, address));
      expect(answer.headers.get("content-security-policy")).not.toMatch(/unsafe|\*/);
      const text = await answer.text();
      expect(text).toContain(`<${page}-page>`);
      for (const [, file] of text.matchAll(/(?:src|href)="([^"]+)"/g))
        expect((await fetch(new URL(file!, address))).status).toBe(200);
    }
    const { port, token } = ticketSchema.parse(await (await ask("/ticket")).json());
    const socket = new WebSocket(`ws://127.0.0.1:${port}/stream`, ["btx-stream", `btx-token.${token}`], {
      origin: address.origin,
    });
    await once(socket, "open");
    const params = { model: { root, run, stage: "finetune" }, text: "branch" };
    socket.send(JSON.stringify({ type: "inspect", id: 4, inspection: "route", params } satisfies PageMessage));
    const [said] = await once(socket, "message");
    const message = hubMessageSchema.parse(JSON.parse(String(said)));
    expect(message).toMatchObject({ type: "inspected", id: 4, answer: { layers: [0], k: 2 } });
    process.kill(command.pid, "SIGINT");
    expect(await command.ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("opens the run that is named", async () => {
    const { folder, root } = copyOfFinished();
    const run = readdirSync(runsFolder(root))[0]!;
    const { ask } = await serve([run], folder);
    expect(await (await ask("/start")).json()).toEqual({ runs: [{ root, run }] });
  });

  it("says what is wrong with a port", async () => {
    const { folder } = copyOfFinished();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const taken = await (await serve(["--port", String(port)], folder)).command.ended;
    expect(taken).toMatchObject({
      code: 1,
      stderr: `btx: port ${port} is in use: choose another one, or leave out --port\n`,
    });
    const wrong = await (await serve(["--port", "70000"], folder)).command.ended;
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("--port takes a whole number of at most 65535");
  });
});
