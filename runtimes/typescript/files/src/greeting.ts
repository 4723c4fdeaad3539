/** What the function does, apart from AWS. */

const greetings = { de: "Hallo", en: "Hello", es: "Hola", fr: "Bonjour" };

export type Language = keyof typeof greetings;

export const languages = Object.keys(greetings);

/** Whom to greet, and in which language. */
export interface GreetingRequest {
  name: string;
  language: Language;
}

/** Returns the greeting. */
export function greet({ name, language }: GreetingRequest): string {
  return `${greetings[language]}, ${name}!`;
}
