import { type Connection, LSPErrorCodes, ResponseError } from "vscode-languageserver/node";
import { requests } from "../protocol/editor.ts";
import { Hub } from "./hub.ts";
import type { PageInspector } from "./pageInspections.ts";

/** Streams for the pages of the editor. The port is opened when the first page asks for one. */
export function serveStreams(
  connection: Connection,
  inspector: PageInspector,
  { trusted, onEnd }: { trusted: () => boolean; onEnd: (work: () => void) => void },
): void {
  let hub: Promise<Hub> | undefined;
  const open = () => {
    hub ??= Hub.start({
      reader: new URL("./metrics.js", import.meta.url),
      inspector,
      trusted,
      log: (text) => connection.console.error(text),
    });
    return hub;
  };
  onEnd(() => void hub?.then((opened) => opened.close()));
  connection.onRequest("btx/openStream", async (given: unknown): Promise<unknown> => {
    const { success, data, error } = requests["btx/openStream"].params.safeParse(given);
    if (!success) return new ResponseError(LSPErrorCodes.RequestFailed, `btx/openStream: ${error.issues[0]?.message}`);
    try {
      return (await open()).ticket(data.origin);
    } catch (reason) {
      hub = undefined;
      const why = reason instanceof Error ? reason.message : String(reason);
      return new ResponseError(LSPErrorCodes.RequestFailed, `The page's stream could not be opened: ${why}`);
    }
  });
}
