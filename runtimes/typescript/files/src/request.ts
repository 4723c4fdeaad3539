/** Takes what comes from outside for a request, or says what is wrong with it. */

import { type GreetingRequest, type Language, languages } from "./greeting.ts";
import { defaultLanguage } from "./settings.ts";

/** What cannot be handled, however often it comes; the message names the field at fault. */
export class BadRequestError extends Error {
  override readonly name = "BadRequestError";
}

/** Returns the request in a value such as {"name": "Ada", "language": "en"}; what: the value's name in errors. */
export function parse(value: unknown, what: string): GreetingRequest {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadRequestError(`${what}: must be an object`);
  }
  const { name, language = defaultLanguage } = value as Record<string, unknown>;
  if (typeof name !== "string" || !name.trim()) {
    throw new BadRequestError("name: must be a text that is not empty");
  }
  if (!isLanguage(language)) {
    throw new BadRequestError(`language: must be one of ${languages.join(", ")}`);
  }
  return { name, language };
}

/** Returns the request in JSON. */
export function parseJson(text: string, what: string): GreetingRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRequestError(`${what}: must be JSON`);
  }
  return parse(value, what);
}

function isLanguage(value: unknown): value is Language {
  return typeof value === "string" && languages.includes(value);
}
