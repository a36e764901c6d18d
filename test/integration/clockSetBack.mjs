import { existsSync } from "node:fs";

// Preloaded into a command: in it and in its processes the clock is an hour behind once a file is there.
const { now } = Date;
Date.now = () => now() - (existsSync(process.env.BTX_TEST_CLOCK) ? 3_600_000 : 0);
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [Date.now()] : args));
  }
};
