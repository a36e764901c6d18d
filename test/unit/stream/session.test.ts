import { describe, expect, it } from "vitest";
import type { Line } from "../../../server/protocol/frame.ts";
import type { View } from "../../../server/protocol/stream.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { origin, Page, startHub } from "./support.ts";

/** A page that has opened a run of the fixture. */
async function opened(options: Parameters<typeof writeRun>[1] = {}) {
  const written = writeRun(temporaryFolder(), options);
  const { root, run, keyOf } = written;
  const { hub } = await startHub();
  const page = new Page(hub.ticket(origin));
  await page.opened();
  page.send({ type: "open", id: 1, runs: [{ root, run }] });
  const { runs } = await page.next("opened");
  const view = (stages: string[], more: Partial<View> = {}): View => ({
    type: "view",
    id: 2,
    series: stages.map((stage) => ({ root, key: keyOf(stage) })),
    measures: ["loss"],
    axis: "step",
    fromZero: false,
    columns: 2000,
    smoothing: 1,
    ...more,
  });
  /** The lines of the first whole frame of a view, by stage. */
  const lines = async (wanted: View): Promise<Map<string, Line>> => {
    page.send(wanted);
    const frame = await page.until(() => page.points(wanted.id).find(({ whole }) => whole));
    const names = new Map(runs[0]!.stages.map(({ key, name }) => [key, name]));
    return new Map(frame.lines.map((line) => [`${names.get(line.key)} ${line.measure}`, line]));
  };
  return { ...written, hub, page, runs, view, lines };
}

describe("a stream", () => {
  it("tells the stages that train, with state and colour, and not the others", async () => {
    const { runs } = await opened();
    expect(runs[0]).toMatchObject({ name: "three-domains", state: "done" });
    expect(runs[0]!.stages.map(({ name, color, state }) => `${name} ${color} ${state}`)).toEqual([
      "seed seed done",
      "expert:code one done",
      "expert:prose two done",
      "expert:math three done",
      "finetune mix done",
      "dense four done",
      "upcycling five done",
    ]);
  });

  it("gives the values as they were recorded, each stage after those it comes from", async () => {
    const { fixture, view, lines } = await opened();
    const drawn = await lines(
      view(["seed", "expert:math", "finetune"], { measures: ["loss", "loadBalance"], axis: "tokens" }),
    );
    // A dense stage has no load balance.
    expect([...drawn.keys()]).toEqual(["seed loss", "expert:math loss", "finetune loss", "finetune loadBalance"]);
    const tokens = (stage: string) => fixture.metrics.get(stage)!.map((metric) => metric.tokens);
    const losses = (stage: string) => fixture.metrics.get(stage)!.map(({ loss }) => loss);
    const [seedEnd, expertEnd] = [tokens("seed").at(-1)!, tokens("expert:math").at(-1)!];
    expect([...drawn.get("seed loss")!.x]).toEqual(tokens("seed"));
    expect([...drawn.get("seed loss")!.y]).toEqual(losses("seed"));
    expect([...drawn.get("expert:math loss")!.x]).toEqual(tokens("expert:math").map((at) => seedEnd + at));
    expect([...drawn.get("finetune loss")!.x]).toEqual(tokens("finetune").map((at) => seedEnd + expertEnd + at));
    const best = Math.min(...losses("finetune"));
    expect(drawn.get("finetune loss")!.figures).toMatchObject({
      count: 20,
      low: { value: best },
      last: { value: losses("finetune").at(-1) },
    });
  });

  it("lets stages begin at zero, and counts operations from the result where lines do not", async () => {
    const { fixture, view, lines } = await opened();
    const drawn = await lines(view(["seed", "finetune"], { axis: "flops", fromZero: true }));
    for (const stage of ["seed", "finetune"]) {
      const { result } = fixture.stages.find(({ name }) => name === stage)!;
      const perToken = result!.flops! / result!.tokens!;
      const wanted = fixture.metrics.get(stage)!.map(({ tokens }) => tokens * perToken);
      expect([...drawn.get(`${stage} loss`)!.x]).toEqual(wanted);
    }
  });

  it("smoothes by moving means and thins out to the pixels asked for", async () => {
    const { fixture, view, lines } = await opened({ steps: 4000 });
    const drawn = await lines(view(["seed"], { columns: 100, smoothing: 101 }));
    const { x, y, smoothX, smoothY } = drawn.get("seed loss")!;
    expect(x.length).toBeLessThanOrEqual(200);
    expect(x.length).toBeGreaterThan(190);
    expect(smoothX.length).toBeLessThanOrEqual(101);
    const losses = fixture.metrics.get("seed")!.map(({ loss }) => loss);
    expect(Math.min(...y)).toBe(Math.min(...losses));
    const at = smoothX.findIndex((step) => step > 2000);
    const near = losses.slice(smoothX[at]! - 51, smoothX[at]! + 50);
    expect(smoothY[at]).toBeCloseTo(near.reduce((sum, loss) => sum + loss, 0) / 101, 9);
  });

  it("gives one range in full", async () => {
    const { view, lines } = await opened({ steps: 4000 });
    const drawn = await lines(view(["seed"], { columns: 100, range: [1000, 1100] }));
    const { x, from, to } = drawn.get("seed loss")!;
    expect([x[0], x.at(-1), x.length]).toEqual([999, 1101, 103]);
    expect([from, to]).toEqual([1, 4000]);
  });

  it("sends what is new, of the stages that have it only", async () => {
    const { page, view, lines, append, keyOf } = await opened();
    await lines(view(["seed", "finetune"]));
    append("finetune", [{ step: 21, loss: 1.25 }]);
    const news = await page.until(() => page.points(2).find(({ whole }) => !whole));
    expect(news.lines.map(({ key }) => key)).toEqual([keyOf("finetune")]);
    expect(news.lines[0]!.y.at(-1)).toBe(1.25);
    // A stage that has grown moves those that began after it: all is sent again.
    append("seed", [
      { step: 41, steps: 41, tokens: 9e9, seconds: 9, loss: 1, gradientNorm: 1, learningRate: 1, tokensPerSecond: 1 },
    ]);
    const moved = await page.until(() => page.points(2).filter(({ whole }) => whole)[1]);
    expect(moved.lines.map(({ from }) => from)).toEqual([1, 62]);
  });

  it("is silent when the runs are no longer wanted, and whole when they are opened again", async () => {
    const { page, hub, view, lines, append, keyOf, root, run } = await opened();
    await lines(view(["seed"]));
    page.send({ type: "cancel", id: 1 });
    page.send({ type: "statistics", id: 3, measure: "loss", series: [], axis: "step", fromZero: false });
    await page.next("statistics");
    const before = page.frames.length;
    append("seed", [{ step: 41, loss: 0.5 }]);
    const other = new Page(hub.ticket(origin));
    await other.opened();
    await other.see(root, run, keyOf("seed"), 0.5);
    expect(page.frames).toHaveLength(before);
    page.send({ type: "open", id: 4, runs: [{ root, run }] });
    await page.next("opened");
    const again = await lines(view(["seed"], { id: 5 }));
    expect(again.get("seed loss")!.y.at(-1)).toBe(0.5);
  });

  it("answers each question by its id, and says to whom what could not be answered belongs", async () => {
    const { page, keyOf, root } = await opened();
    const series = [{ root, key: keyOf("seed") }];
    const model = { root, key: keyOf("finetune") };
    page.send({ type: "routingLayers", id: 10, model, snapshot: 0 });
    page.send({ type: "statistics", id: 11, measure: "loss", series, axis: "step", fromZero: false });
    await page.until(() => page.messages.some(({ type, id }) => type === "done" && id === 11));
    const of = (id: number) => page.messages.filter((message) => message.id === id).map(({ type }) => type);
    expect(of(10)).toEqual(["problem"]);
    expect(of(11)).toEqual(["statistics", "done"]);
  });

  it("works out figures of a range from all values", async () => {
    const { fixture, page, keyOf, root } = await opened({ steps: 4000 });
    page.send({
      type: "statistics",
      id: 7,
      measure: "loss",
      series: [
        { root, key: keyOf("seed") },
        { root, key: "0000000000000000" },
      ],
      axis: "step",
      fromZero: false,
      range: [1000.5, 2000],
    });
    const { id, figures } = await page.next("statistics");
    const losses = fixture.metrics
      .get("seed")!
      .map(({ loss }) => loss)
      .slice(1000, 2000);
    expect(id).toBe(7);
    expect(figures).toHaveLength(1);
    expect(figures[0]!.figures).toMatchObject({
      count: 1000,
      low: { value: Math.min(...losses), step: 1001 + losses.indexOf(Math.min(...losses)) },
      first: { value: losses[0], step: 1001 },
      last: { value: losses.at(-1), step: 2000 },
    });
    expect(figures[0]!.figures!.mean).toBeCloseTo(losses.reduce((a, b) => a + b) / 1000, 9);
  });

  it("exports every recorded value", async () => {
    const { fixture, page, keyOf, root, run } = await opened();
    const series = ["seed", "finetune"].map((stage) => ({ root, key: keyOf(stage) }));
    page.send({ type: "export", id: 3, series, axis: "step", fromZero: false, range: [31, 1000] });
    expect(await page.next("done")).toEqual({ type: "done", id: 3 });
    const text = page.frames
      .map((frame) => (frame.kind === "text" ? new TextDecoder().decode(frame.bytes) : ""))
      .join("");
    const [head, ...rows] = text
      .trimEnd()
      .split("\r\n")
      .map((row) => row.split(","));
    expect(head).toEqual(
      "run,stage,step,tokens,seconds,loss_nats_per_token,learning_rate,gradient_norm,tokens_per_second,load_balance_loss".split(
        ",",
      ),
    );
    const of = (stage: string, from: number) =>
      fixture.metrics
        .get(stage)!
        .slice(from)
        .map((metric) =>
          [
            run,
            stage,
            metric.step,
            metric.tokens,
            metric.seconds,
            metric.loss,
            metric.learningRate,
            metric.gradientNorm,
            metric.tokensPerSecond,
            metric.loadBalance ?? "",
          ].map(String),
        );
    expect(rows).toEqual([...of("seed", 30), ...of("finetune", 0)]);
  });
});
