import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { randomStream } from "../server/model/random.ts";

/**
 * Writes arithmetic word problems with worked answers, one JSON object a line: `question` and `answer`, which ends in
 * "#### number". Run: node arithmetic.ts FILE [COUNT] [SEED]
 */

type Pick = <T>(items: readonly T[]) => T;
type Number = (least: number, most: number) => number;
interface Problem {
  question: string;
  answer: string;
}

const names = [
  "Ada",
  "Ben",
  "Chloe",
  "Dario",
  "Elif",
  "Femi",
  "Grace",
  "Hugo",
  "Ines",
  "Jonas",
  "Kira",
  "Luis",
  "Mei",
  "Noor",
  "Omar",
  "Priya",
];
const things = ["apples", "books", "candles", "eggs", "flowers", "marbles", "pencils", "shells", "stamps", "tickets"];
const boxes = ["bag", "basket", "box", "crate", "drawer", "jar"];

const problems: ((pick: Pick, number: Number) => Problem)[] = [
  (pick, number) => {
    const [name, thing, start, more, gone] = [pick(names), pick(things), number(10, 60), number(5, 40), number(1, 9)];
    const sum = start + more;
    return {
      question: `${name} has ${start} ${thing}, gets ${more} more and gives ${gone} away. How many ${thing} does ${name} have now?`,
      answer: `After getting more, ${name} has ${start} + ${more} = ${sum} ${thing}.\nThen ${sum} - ${gone} = ${sum - gone} are left.\n#### ${sum - gone}`,
    };
  },
  (pick, number) => {
    const [thing, box, count, each, price] = [pick(things), pick(boxes), number(2, 9), number(2, 12), number(2, 5)];
    const total = count * each;
    return {
      question: `A shop sells ${thing} in a ${box} of ${each}. Someone buys ${count} of them and each of the ${thing} costs ${price} dollars. How many dollars is that?`,
      answer: `There are ${count} * ${each} = ${total} ${thing}.\nThey cost ${total} * ${price} = ${total * price} dollars.\n#### ${total * price}`,
    };
  },
  (pick, number) => {
    const [name, friend, thing, own, times] = [
      pick(names),
      pick(names.slice(0, 8)),
      pick(things),
      number(2, 20),
      number(2, 6),
    ];
    const other = own * times;
    return {
      question: `${name} found ${own} ${thing}. A friend, ${friend}, found ${times} times as many. How many ${thing} did the two find together?`,
      answer: `${friend} found ${own} * ${times} = ${other} ${thing}.\nTogether they found ${own} + ${other} = ${own + other}.\n#### ${own + other}`,
    };
  },
  (pick, number) => {
    const [name, thing, people, share, rest] = [pick(names), pick(things), number(3, 9), number(2, 9), number(0, 2)];
    const total = people * share + rest;
    return {
      question: `${name} shares ${total} ${thing} equally among ${people} people and keeps what is left over. How many ${thing} does ${name} keep?`,
      answer: `Each gets ${share}, because ${people} * ${share} = ${people * share}.\nWhat is left is ${total} - ${people * share} = ${rest}.\n#### ${rest}`,
    };
  },
];

const [file, count = "4000", seed = "1"] = process.argv.slice(2);
if (!file) throw new Error("usage: node arithmetic.ts FILE [COUNT] [SEED]");
const random = randomStream(Number(seed), "arithmetic");
const number: Number = (least, most) => least + Math.floor(random.uniform() * (most - least + 1));
const pick: Pick = (items) => items[number(0, items.length - 1)]!;
const lines = Array.from({ length: Number(count) }, () => JSON.stringify(pick(problems)(pick, number)));
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${lines.join("\n")}\n`);
