// Draws icon.png from icon.svg with Chromium. Run: node media/icon.ts
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const size = 256;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await browser.newPage({ viewport: { width: size, height: size } });
const svg = readFileSync(new URL("icon.svg", import.meta.url), "utf8");
await page.setContent(`<style>body{margin:0}svg{display:block}</style>${svg}`);
await page.screenshot({ path: new URL("icon.png", import.meta.url).pathname, omitBackground: true });
await browser.close();
