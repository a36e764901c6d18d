import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { serveEditor } from "./editor/serve.ts";
import { serve } from "./language/server.ts";
import { serveStreams } from "./stream/editor.ts";

/** The backend of the editor: `server.js --node-ipc`, or `--stdio`. It computes nothing. */
const connection = createConnection(ProposedFeatures.all);
serve(connection);
serveEditor(connection);
serveStreams(connection);
connection.listen();
