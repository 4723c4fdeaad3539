/** Logs and metrics, set up once; deployment/ sets the names they go by, as POWERTOOLS_ variables. */

import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";

export const logger = new Logger();
const metrics = new Metrics();

/** Adds to a metric of the function. */
export function count(name: string, value = 1): void {
  metrics.addMetric(name, MetricUnit.Count, value);
}

/** Returns a handler whose log names the invocation, and whose metrics are written whether it fails or not. */
export function observed<Event, Answer>(
  handle: (event: Event, context: Context) => Promise<Answer>,
): (event: Event, context: Context) => Promise<Answer> {
  return async (event, context) => {
    logger.addContext(context);
    try {
      return await handle(event, context);
    } finally {
      // An invocation that fails early has none, which would be warned of.
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    }
  };
}
