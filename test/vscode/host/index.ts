import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import Mocha from "mocha";

/** Entry point in the extension host: runs all suites, or those whose names contain BTX_TEST_ONLY. */
export async function run(): Promise<void> {
  const { href } = pathToFileURL(join(__dirname, "product.mjs"));
  Object.assign(globalThis, { product: await import(href) });
  const only = process.env.BTX_TEST_ONLY ?? "";
  const mocha = new Mocha({ ui: "bdd", timeout: 60_000, retries: 2, reporter: Quiet });
  for (const name of readdirSync(__dirname).sort())
    if (name.endsWith(".test.cjs") && name.includes(only)) mocha.addFile(join(__dirname, name));
  return new Promise((resolve, reject) => {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const runner = mocha.run((failures) => {
      if (process.env.BTX_TEST_RESULTS) writeFileSync(process.env.BTX_TEST_RESULTS, JSON.stringify(counts));
      if (failures > 0) reject(new Error(`${failures} failed`));
      else resolve();
    });
    runner.on("pass", (test) => {
      counts.passed++;
      say(`✓ ${test.fullTitle()} (${test.duration} ms)`);
    });
    runner.on("fail", (test, error) => {
      counts.failed++;
      say(`✗ ${test.fullTitle()}\n${error.stack ?? error}`);
    });
    runner.on("pending", () => {
      counts.skipped++;
    });
  });
}

/** The lines above are the report. */
class Quiet extends Mocha.reporters.Base {}

/** Marks these lines, since VS Code writes to the same console. */
function say(text: string): void {
  for (const line of text.split("\n")) console.log(`[test] ${line}`);
}
