import { environment } from "../editor/launch.ts";
import { Inspector } from "../inspect/client.ts";
import { UserError } from "../protocol/errors.ts";
import { Hub } from "../stream/hub.ts";
import { Pages } from "../stream/pages.ts";
import { CommandError, exitStatus, findRoot, namedRun, parse, wholeNumber } from "./command.ts";

const options = { port: { type: "string" }, in: { type: "string" } } as const;

/** `btx serve [RUN]`: the pages of the editor in a browser of this machine, until Ctrl-C. */
export async function serve(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, options);
  const port = values.port === undefined ? 0 : wholeNumber(values.port, "port", 0);
  if (port > 65_535) throw new CommandError(`--port takes a whole number of at most 65535, not "${values.port}"`);
  const named = positionals[0] === undefined ? undefined : await namedRun(positionals[0], values.in);
  const root = named?.root ?? findRoot(values.in);
  const runs = named ? [{ root, run: named.run.record.id }] : [];
  const pages = new Pages(new URL("./webview/", import.meta.url), { runs });
  const inspector = new Inspector({ env: environment(process.env), log });
  const hub = await start(port, root, pages, inspector);
  process.stdout.write(
    `${pages.address(hub.port)}\nOnly this machine can open it. Press Ctrl-C to end it; runs go on.\n`,
  );
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  inspector.close();
  await hub.close();
  return exitStatus.done;
}

const log = (text: string) => process.stderr.write(`btx: ${text}\n`);

async function start(port: number, root: string, pages: Pages, inspector: Inspector): Promise<Hub> {
  try {
    return await Hub.start({
      port,
      roots: [root],
      reader: new URL("./metrics.js", import.meta.url),
      inspector,
      trusted: () => true,
      log,
      pages: (hub, path, request, response) => pages.answer(hub, path, request, response),
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new UserError(`port ${port} is in use: choose another one, or leave out --port`);
    if (code === "EACCES")
      throw new UserError(`port ${port} cannot be opened: choose one above 1023, or leave out --port`);
    throw error;
  }
}
