/** What Branch-Train-MiX (arXiv 2403.07816) reports, for the pages that set our results beside it. Higher is better. */

/** Table 2: aggregated scores. */
export const table2: Record<string, { math: number; code: number; knowledge: number; average: number }> = {
  seed: { math: 8.6, code: 16.8, knowledge: 37.4, average: 40.7 },
  dense: { math: 18.3, code: 25.8, knowledge: 39.6, average: 44.5 },
  upcycling: { math: 28.1, code: 34.7, knowledge: 34.0, average: 46.3 },
  "upcycling-compute": { math: 28.2, code: 30.7, knowledge: 41.3, average: 47.3 },
  "btm:tf-idf:1": { math: 21.3, code: 36.4, knowledge: 26.5, average: 43.1 },
  "btm:tf-idf:2": { math: 21.5, code: 36.6, knowledge: 26.9, average: 43.4 },
  btx: { math: 27.4, code: 34.0, knowledge: 41.0, average: 47.9 },
};

/** Table 3: compute. */
export const table3 = {
  btx: { gpuDays: 926.1, tokens: 533, average: 47.9 },
  "upcycling-compute": { gpuDays: 1007.1, tokens: 252, average: 47.3 },
};

/** Table 4: routers after 10B tokens of finetuning (soft and top-2 also after 40B), without load balancing. */
export const table4: Record<string, number> = {
  switch: 24.7,
  "sample-top-1": 33.0,
  unbalanced: 34.6,
  soft: 35.8,
};

/** Table 5: ablations after 10B tokens of finetuning. */
export const table5: Record<string, number> = {
  balanced: 34.7,
  unbalanced: 34.6,
  frozen: 34.7,
  blend: 22.2,
  "split, top-2 of 8": 28.0,
  "split, top-4 of 8": 34.5,
};
