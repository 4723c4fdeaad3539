/** What tests of the deployed function are told, and how they call AWS: by its command line interface. */

import { execFileSync } from "node:child_process";

export const { ACCOUNT: account = "", ENVIRONMENT: environment = "", FUNCTION: name = "" } = process.env;
export const { AWS_DEFAULT_REGION: fallback = "", AWS_REGION: region = fallback } = process.env;

/** Returns what a call answers, such as of aws("sns", "publish", ...). */
export function aws<Answer>(...call: string[]): Answer {
  // Version 1 does not heed the variable for each service.
  const { AWS_ENDPOINT_URL: place } = process.env;
  const options = ["--output=json", ...(place ? [`--endpoint-url=${place}`] : [])];
  const said = execFileSync("aws", [...call, ...options], { encoding: "utf-8" });
  return JSON.parse(said || "null");
}
