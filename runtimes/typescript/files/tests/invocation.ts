/** What tests of the handler need: events, what Lambda tells of an invocation, and what the handler logs. */

import { readFileSync } from "node:fs";
import { mock } from "node:test";
import type { Context } from "aws-lambda";

export const context: Context = {
  awsRequestId: "5c8f1d3e",
  callbackWaitsForEmptyEventLoop: true,
  functionName: "tests",
  functionVersion: "$LATEST",
  getRemainingTimeInMillis: () => 1000,
  invokedFunctionArn: "arn:aws:lambda:us-east-1:222222222222:function:tests:live",
  logGroupName: "/aws/lambda/tests",
  logStreamName: "tests",
  memoryLimitInMB: "256",
  done: () => {},
  fail: () => {},
  succeed: () => {},
};

/** Returns a sample event. */
export function sample<Event>(name: string): Event {
  return JSON.parse(readFileSync(new URL(`../events/${name}`, import.meta.url), "utf-8"));
}

/** Returns what an invocation writes to its log, line by line, whether it fails or not. */
export async function logged(invoke: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const written = [process.stdout, process.stderr].map((stream) =>
    mock.method(stream, "write", (line: string) => lines.push(JSON.parse(line))),
  );
  try {
    await invoke();
  } catch {
    // The log says it.
  } finally {
    for (const each of written) each.mock.restore();
  }
  return lines;
}
