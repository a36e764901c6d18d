import { expect, it } from "vitest";
import { escapeHtml } from "../../../server/protocol/escapeHtml.ts";

it("turns every character that means something in HTML into an entity", () => {
  expect(escapeHtml(`<a href="x" id='y'>&`)).toBe("&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
});
