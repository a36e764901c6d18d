import { once } from "node:events";
import { WebSocket } from "ws";
import type { Build, Json } from "./build.ts";

/** `btx serve` of a build, asked as a browser asks it. */

export interface Client {
  /** Pages and the files they load, with the status of each. */
  pages: Record<string, number>;
  /** Sends a question over the stream and gives the next text that is an answer, not news. */
  ask(question: object): Promise<Json>;
}

/** Serves the runs of `folder` while `work` asks. @throws when the server says nothing or does not end with 0 */
export async function openPages(build: Build, folder: string, work: (client: Client) => Promise<void>): Promise<void> {
  const child = build.start(["serve"], folder);
  const ended = new Promise<number | null>((done) => child.on("close", done));
  try {
    let printed = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    while (!/token=\S+\n/.test(printed)) {
      if (child.exitCode !== null) throw new Error(`${build.name}: btx serve ended with ${child.exitCode}`);
      await new Promise((done) => setTimeout(done, 20));
    }
    const address = new URL(/http:\S+/.exec(printed)?.[0] ?? "");
    const pages: Record<string, number> = {};
    for (const page of ["metrics", "routing", "expert", "tokens"]) {
      const answer = await fetch(new URL(page, address));
      pages[page] = answer.status;
      for (const [, file = ""] of (await answer.text()).matchAll(/(?:src|href)="([^"]+)"/g)) {
        const { status } = await fetch(new URL(file, address));
        if (status !== 200) pages[`${page}: ${file}`] = status;
      }
    }
    const authorization = `Bearer ${address.searchParams.get("token")}`;
    const connect = async (): Promise<WebSocket> => {
      const ticket = await fetch(new URL("/ticket", address), { method: "POST", headers: { authorization } });
      const { port, token } = (await ticket.json()) as Json;
      const protocols = ["btx-stream", `btx-token.${token}`];
      const socket = new WebSocket(`ws://127.0.0.1:${port}/stream`, protocols, { origin: address.origin });
      await once(socket, "open");
      return socket;
    };
    let socket = await connect();
    let ids = 0;
    await work({
      pages,
      async ask(question) {
        const answer = await answerTo(socket, { ...question, id: ++ids });
        if (answer) return answer;
        // A build from before every question had an id refuses one where none was.
        socket = await connect();
        return answerTo(socket, question);
      },
    });
    socket.close();
    process.kill(child.pid ?? 0, "SIGINT");
    const code = await ended;
    if (code !== 0) throw new Error(`${build.name}: btx serve ended with ${code}`);
  } finally {
    if (child.exitCode === null) child.kill("SIGKILL");
  }
}

/** The next answer, without its id; undefined when the stream ends before it. */
async function answerTo(socket: WebSocket, question: object): Promise<Json> {
  socket.send(JSON.stringify(question));
  for (;;) {
    const heard = await Promise.race([once(socket, "message"), once(socket, "close").then(() => undefined)]);
    if (!heard) return undefined;
    const [data, isBinary] = heard;
    const { id: _, ...answer } = isBinary ? {} : JSON.parse(String(data));
    if (answer.type !== undefined && answer.type !== "inspectionNews") return answer;
  }
}
