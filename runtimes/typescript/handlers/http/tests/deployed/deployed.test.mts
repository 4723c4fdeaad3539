import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { aws, name, region } from "./aws.mts";

interface Credentials {
  AccessKeyId: string;
  SecretAccessKey: string;
  SessionToken: string;
}

/** Returns with what a request is signed: what the environment says, or else whatever AWS's command finds. */
function credentials(): Credentials {
  const { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey = "" } = process.env;
  const { AWS_SESSION_TOKEN: SessionToken = "" } = process.env;
  return AccessKeyId
    ? { AccessKeyId, SecretAccessKey, SessionToken }
    : aws<Credentials>("configure", "export-credentials");
}

describe("the function as it is deployed, with its API", () => {
  test("a signed request is answered with a greeting", (context) => {
    const { Items } = aws<{ Items: { ApiEndpoint: string; Tags?: { function?: string } }[] }>(
      ...["apigatewayv2", "get-apis"],
    );
    const [api] = Items.filter((item) => item.Tags?.function === name);
    const url = new URL(api?.ApiEndpoint ?? "");
    const keys = credentials();
    const place = process.env.AWS_ENDPOINT_URL ?? url.origin; // another than AWS's own, as in a rehearsal
    // In a file of its own, the keys are in no list of processes.
    const config = [
      `user = "${keys.AccessKeyId}:${keys.SecretAccessKey}"`,
      `header = "x-amz-security-token: ${keys.SessionToken}"`,
      `header = "host: ${url.host}"`,
    ];

    const said = execFileSync(
      "curl",
      [
        ...["--silent", "--config", "-", "--aws-sigv4", `aws:amz:${region}:execute-api`],
        ...["--write-out", "\n%{http_code}", `${place}/greeting?language=es&name=deployment`],
      ],
      { encoding: "utf-8", input: config.join("\n") },
    );

    const [body = "", status] = said.split("\n");
    if (status === "401") {
      context.skip("the API asks for a token, which its issuer alone gives");
      return;
    }
    assert.deepEqual([status, JSON.parse(body)], ["200", { message: "Hola, deployment!" }]);
  });
});
