import { installKit } from "./harness/kit.ts";

/** Installs VS Code for the tests where it is missing; says so where it cannot be. */
const why = installKit();
if (why) console.log(`tests in VS Code are left out: ${why}`);
