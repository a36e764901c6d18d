import { openData } from "../../../server/data/dataset.ts";

/** Tokens of a piece of text that counts as one document. */
const documentTokens = 512;

const count = (ids: number[]): Map<number, number> => {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
};
const norm = (vector: number[]): number => Math.hypot(...vector);
const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/**
 * tf-idf by its definition (BTX §4.1.2, the smoothed idf of scikit-learn), with whole vectors: the cosine between a
 * text's tf-idf and the mean of the normalised tf-idf of all training documents of each expert's domains.
 */
export async function referenceCosines(
  folder: string,
  domainsOfExpert: string[][],
): Promise<(text: number[]) => number[]> {
  const data = await openData(folder);
  const { vocab } = data.index;
  const documents = new Map<string, number[][]>();
  for (const domain of Object.keys(data.index.domains)) {
    const file = data.split(domain, "train");
    const ids = [...file.read(0, file.length)];
    const pieces = Array.from({ length: Math.ceil(ids.length / documentTokens) }, (_, i) =>
      ids.slice(i * documentTokens, (i + 1) * documentTokens),
    );
    documents.set(domain, pieces);
  }
  data.close();
  const all = [...documents.values()].flat();
  const idf = Array.from({ length: vocab }, (_, term) => {
    const containing = all.filter((document) => document.includes(term)).length;
    return Math.log((1 + all.length) / (1 + containing)) + 1;
  });
  const vectorOf = (ids: number[]): number[] => {
    const counts = count(ids);
    return idf.map((weight, term) => (counts.get(term) ?? 0) * weight);
  };
  const means = domainsOfExpert.map((domains) => {
    const vectors = domains.flatMap((domain) => documents.get(domain)!).map(vectorOf);
    const units = vectors.map((vector) => vector.map((x) => x / norm(vector)));
    return idf.map((_, term) => units.reduce((sum, unit) => sum + unit[term]!, 0) / units.length);
  });
  return (text) => {
    const vector = vectorOf(text);
    return means.map((mean) => dot(vector, mean) / norm(vector) / norm(mean));
  };
}
