// Preloaded into a command: in it and in its processes the clock is set back an hour after a third of a second.
const { now } = Date;
const set = performance.now() + 300;
Date.now = () => now() - (performance.now() < set ? 0 : 3_600_000);
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [Date.now()] : args));
  }
};
