import { syncBuiltinESMExports } from "node:module";
import os from "node:os";

// Preloaded into a command: it and its processes then run on a machine of another name.
os.hostname = () => process.env.BTX_TEST_HOST;
syncBuiltinESMExports();
