import { installKit } from "./harness/kit.ts";

/** Installs VS Code for the tests if it is missing, and prints why if that fails. */
const why = installKit();
if (why) console.log(`tests in VS Code are left out: ${why}`);
