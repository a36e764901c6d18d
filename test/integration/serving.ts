import { onTestFinished } from "vitest";
import { startBtx, until } from "./btx.ts";

/** `btx serve`, once it has printed its address. */
export async function serve(args: string[], cwd: string) {
  const command = startBtx(["serve", ...args], { cwd });
  onTestFinished(() => command.signalAll("SIGKILL"));
  let printed = "";
  command.process.stdout!.on("data", (text: string) => {
    printed += text;
  });
  let over = false;
  void command.ended.then(() => {
    over = true;
  });
  await until("the address is printed", () => /token=\S+\n/.test(printed) || over);
  const address = new URL(/http:\S+/.exec(printed)?.[0] ?? "http://nothing");
  const token = address.searchParams.get("token") ?? "";
  const ask = (path: string, given = token) =>
    fetch(new URL(path, address), { method: "POST", headers: { authorization: `Bearer ${given}` } });
  return { command, address, ask };
}
