/**
 * Writes src/pipeline/asr/words-zh.txt from the word list of jieba 0.42.1 (MIT): `pip download --no-deps --no-binary :all: jieba==0.42.1 && tar xzf jieba-0.42.1.tar.gz`, then
 * `npx tsx scripts/build-word-list.ts jieba-0.42.1/jieba/dict.txt`. The same list gives the same bytes.
 *
 * A line for each cost, ascending: the cost of a word, which is the negative natural logarithm of its share in the counted text, and the words, all after one space.
 * jieba counted newspapers and novels, where 您好 is as rare as a place name: what people say on service calls comes from service-words-zh.txt beside this file, with costs
 * set by hand.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LONGEST_WORD, WORDS_PATH } from "../src/pipeline/asr/word-model.ts";

const SHA256 = "7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8";
/** Rarer words say nothing of telephone speech, and names of people are as likely as the characters in them. */
const LEAST = 50;
const HAN = new RegExp(`^\\p{Script=Han}{1,${LONGEST_WORD}}$`, "u");

const SERVICE_WORDS = new URL("./service-words-zh.txt", import.meta.url);

const [path = ""] = process.argv.slice(2);
const list = readFileSync(path, "utf8");
const sha256 = createHash("sha256").update(list).digest("hex");
if (sha256 !== SHA256) throw new Error(`expected the list of jieba 0.42.1 (SHA-256 ${SHA256}), got ${sha256}`);
const counted = list
  .split("\n")
  .map((line) => line.split(" "))
  .map(([word = "", count]) => ({ word, count: Number(count ?? 0) }));
const all = counted.reduce((sum, { count }) => sum + count, 0);
const costs = new Map<string, number>();
for (const { word, count } of counted) if (count >= LEAST && HAN.test(word)) costs.set(word, -Math.log(count / all));
for (const line of readFileSync(SERVICE_WORDS, "utf8").trim().split("\n")) {
  const [cost, ...words] = line.split(" ");
  for (const word of words) if (HAN.test(word)) costs.set(word, Math.min(Number(cost), costs.get(word) ?? Number.POSITIVE_INFINITY));
}
const byCost = new Map<string, string[]>();
for (const [word, cost] of costs) byCost.set(cost.toFixed(1), [...(byCost.get(cost.toFixed(1)) ?? []), word]);
const lines = [...byCost].sort(([a], [b]) => Number(a) - Number(b)).map(([cost, words]) => [cost, ...words.sort()].join(" "));
writeFileSync(fileURLToPath(WORDS_PATH), `${lines.join("\n")}\n`);
console.log(`wrote ${fileURLToPath(WORDS_PATH)}`);
