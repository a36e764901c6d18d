import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { environment } from "./editor/launch.ts";
import { serveEditor } from "./editor/serve.ts";
import { Inspector } from "./inspect/client.ts";
import { serve } from "./language/server.ts";
import { serveStreams } from "./stream/editor.ts";

/** The backend of the editor: `server.js --node-ipc`, or `--stdio`. It computes nothing. */
const connection = createConnection(ProposedFeatures.all);
serve(connection);
const inspector = new Inspector({
  env: environment(process.env),
  log: (text) => connection.console.error(text),
});
const trusted = serveEditor(connection, inspector);
serveStreams(connection, inspector, trusted);
connection.listen();
