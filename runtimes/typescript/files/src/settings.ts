/** What differs between environments: `settings` and `secrets` of deployment/environments/. */

export const defaultLanguage = process.env.DEFAULT_LANGUAGE ?? "en";

/** Returns a secret that `secrets` names. It is read again after five minutes. */
export async function secret(name: string): Promise<string | undefined> {
  // This loads AWS's SDK: for that, only who reads a secret should wait.
  const { getParameter } = await import("@aws-lambda-powertools/parameters/ssm");
  const path = `/${process.env.POWERTOOLS_SERVICE_NAME}/${name}`;
  return getParameter(path, { decrypt: true, maxAge: 300 });
}
