import { expect, test } from "vitest";
import { openData } from "../../../server/data/dataset.ts";
import { TfIdf } from "../../../server/stages/tfIdf.ts";
import { documentsOf, stageWithData } from "./support.ts";
import { referenceCosines } from "./tfIdfReference.ts";

const yieldToSignals = async () => {};

test("similarities are the cosines of tf-idf by its definition, up to the text's own length", async () => {
  // Several documents of 512 tokens a domain, and a last one that is shorter.
  const folder = await stageWithData({
    letters: { documents: documentsOf("aaaabcde f", 30, 150) },
    digits: { documents: documentsOf("00001239 f", 22, 140) },
  });
  const data = await openData(folder);
  const index = await TfIdf.of(data, ["letters", "digits", "seed"], yieldToSignals);
  data.close();
  const cosines = await referenceCosines(folder, [["letters"], ["digits"], ["letters", "digits"]]);
  const ids = [...data.tokenizer.encode("fa1b 00 eee")];
  const text = index.text();
  ids.forEach((id, t) => {
    text.add(id);
    const [found, expected] = [text.similarities(), cosines(ids.slice(0, t + 1))];
    found.forEach((similarity, j) => {
      expect(similarity / found[2]!).toBeCloseTo(expected[j]! / expected[2]!, 9);
    });
  });
});

test("a text is nearest to the domain it is from", async () => {
  const domains = { letters: "abcde f", digits: "0123 f", others: "uvwx f" };
  const folder = await stageWithData(
    Object.fromEntries(
      Object.entries(domains).map(([name, letters]) => [name, { documents: documentsOf(letters, 10, 60) }]),
    ),
  );
  const data = await openData(folder);
  const names = Object.keys(domains);
  const index = await TfIdf.of(data, names, yieldToSignals);
  names.forEach((name, truth) => {
    const text = index.text();
    const [document] = documentsOf(domains[name as keyof typeof domains], 1, 20, 99);
    for (const id of data.tokenizer.encode(document!)) text.add(id);
    const similarities = text.similarities();
    expect(similarities.indexOf(Math.max(...similarities))).toBe(truth);
  });
  data.close();
});

test("texts grow apart: what one is told is not told to another", async () => {
  const folder = await stageWithData({ letters: { documents: documentsOf("abc", 6, 40) } });
  const data = await openData(folder);
  const index = await TfIdf.of(data, ["letters"], yieldToSignals);
  data.close();
  const [one, other] = [index.text(), index.text()];
  one.add(data.tokenizer.encode("a")[0]!);
  expect(one.similarities()[0]).toBeGreaterThan(0);
  expect([...other.similarities()]).toEqual([0]);
});
