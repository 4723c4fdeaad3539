// Takes the folder's name out of a lock; refuses one with what no digest holds or only this machine has.
// Usage: node lock.mjs LOCK
import { readFileSync, writeFileSync } from "node:fs";

const [place] = process.argv.slice(2);
const { name: _, ...lock } = JSON.parse(readFileSync(place, "utf-8"));
const loose = Object.entries(lock.packages)
  .filter(([path]) => path.includes("node_modules/"))
  .filter(([, of]) => !(of.inBundle || of.integrity) || of.resolved?.startsWith("file:"))
  .map(([path, { resolved }]) => `${path.split("node_modules/").pop()} (${resolved})`);
if (loose.length > 0) {
  console.error(
    `lock: nothing is changed, since no digest holds this everywhere: ${loose.join(", ")}; ` +
      "have it in src/, or in a registry of your own, which .npmrc names",
  );
  process.exit(1);
}
writeFileSync(place, `${JSON.stringify(lock, null, 2)}\n`);
