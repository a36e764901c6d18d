import { describe, expect, it } from "vitest";
import { UserError } from "../../../server/protocol/errors.ts";
import type { PageInspector } from "../../../server/stream/pageInspections.ts";
import { origin, Page, startHub } from "./support.ts";

type Ask = PageInspector["ask"];

/** A page of a hub with an inspector that answers as `ask` does. */
async function asking(
  ask: (...asked: Parameters<Ask>) => Promise<unknown>,
  more: { trusted?: boolean; roots?: string[] } = {},
) {
  const { trusted = true, roots } = more;
  const { hub, logged } = await startHub({
    inspector: { ask: ask as Ask },
    trusted: () => trusted,
    ...(roots ? { roots } : {}),
  });
  const page = new Page(hub.ticket(origin));
  await page.opened();
  return { page, logged };
}

const model = { root: "/runs/.btx", run: "20260304-123000", stage: "finetune" };
const route = { type: "inspect", id: 1, inspection: "route", params: { model, text: "x" } } as const;

describe("questions of a page to the inspector", () => {
  it("are passed on, and answered with news and the answer", async () => {
    const { page } = await asking((inspection, params, options) => {
      options?.onNews?.({ done: 1, total: 2 } as never);
      return Promise.resolve({ inspection, params });
    });
    page.send({ ...route, inspection: "without", params: { model, expert: "code" } });
    const { id, answer } = await page.next("inspected");
    expect({ id, answer }).toEqual({ id: 1, answer: { inspection: "without", params: { model, expert: "code" } } });
    expect(page.messages.find(({ type }) => type === "inspectionNews")).toEqual({
      type: "inspectionNews",
      id: 1,
      news: { done: 1, total: 2 },
    });
  });

  it("fail with the sentence that a person can do something about, and with none of another error", async () => {
    const errors = [new UserError("there is no such model"), new Error("trace")];
    const { page, logged } = await asking(() => Promise.reject(errors.shift()));
    page.send(route);
    expect((await page.next("problem")).text).toBe("there is no such model");
    page.send(route);
    expect((await page.next("problem")).text).toBe("The question could not be answered: the log says why.");
    expect(logged[0]).toContain("trace");
  });

  it("are not asked with what is none of the question's", async () => {
    const { page } = await asking(() => Promise.reject(new Error("asked")));
    page.send({ ...route, params: { model, text: 5 } });
    expect((await page.next("problem")).text).toMatch(/^route: text /);
  });

  it("run no model in a workspace that is not trusted, and none of another run folder", async () => {
    const untrusted = await asking(() => Promise.reject(new Error("asked")), { trusted: false });
    untrusted.page.send(route);
    expect((await untrusted.page.next("problem")).text).toContain("trusted workspace");
    const elsewhere = await asking(() => Promise.reject(new Error("asked")), { roots: ["/other/.btx"] });
    elsewhere.page.send(route);
    expect((await elsewhere.page.next("problem")).text).toBe("Runs of /runs are not served here.");
  });

  it("are cancelled by the page, and when it is gone", async () => {
    const signals: AbortSignal[] = [];
    const { page } = await asking(
      (_inspection, _params, options) =>
        new Promise((_resolve, reject) => {
          signals.push(options!.signal!);
          options!.signal!.addEventListener("abort", () => reject(new UserError("cancelled")));
        }),
    );
    page.send(route);
    page.send({ ...route, id: 2 });
    await expect.poll(() => signals.length).toBe(2);
    page.send({ type: "cancel", id: 1 });
    await expect.poll(() => signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    page.socket.close();
    await expect.poll(() => signals[1]!.aborted).toBe(true);
    expect(page.messages).toEqual([]);
  });
});
