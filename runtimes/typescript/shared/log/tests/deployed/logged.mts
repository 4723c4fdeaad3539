/** What the function's log tells of an event. */

import { setTimeout } from "node:timers/promises";
import { aws, name } from "./aws.mts";

const seconds = 240; // that an event gets to be handled and told of
const began = Date.now() - 60_000; // clocks differ

/** Waits for a line of the function's log that names an event, by its identifier; returns its message. */
export async function logged(identifier: string): Promise<string> {
  const log = `/aws/lambda/${name}`;
  const asked = ["logs", "filter-log-events", `--log-group-name=${log}`, `--start-time=${began}`];
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await setTimeout(1000)) {
    const { events } = aws<{ events: { message: string }[] }>(...asked, `--filter-pattern="${identifier}"`);
    if (events[0]) return JSON.parse(events[0].message).message;
  }
  throw new Error(`${log} does not tell of ${identifier} within ${seconds} seconds`);
}
