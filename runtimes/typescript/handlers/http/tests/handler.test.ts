import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

/** Returns a request as API Gateway sends it. */
function request(query: Record<string, string>, path = "/greeting", method = "GET"): APIGatewayProxyEventV2 {
  const event = sample<APIGatewayProxyEventV2>("greeting.json");
  return {
    ...event,
    rawPath: path,
    headers: { authorization: "Bearer secret" },
    queryStringParameters: query,
    requestContext: { ...event.requestContext, http: { ...event.requestContext.http, method, path } },
  };
}

describe("handler", () => {
  test("a request is answered with a greeting", async () => {
    assert.deepEqual(await handler(sample("greeting.json"), context), {
      statusCode: 200,
      headers: { "content-type": "application/json" },
      body: '{"message":"Hola, Ada!"}',
    });
  });

  for (const [name, status] of [
    ["check.json", 200],
    ["bad.json", 400],
  ] as const) {
    test(`${name} is answered ${status}`, async () => {
      assert.equal((await handler(sample(name), context)).statusCode, status);
    });
  }

  for (const [event, status, fault] of [
    [request({}), 400, /^name: /],
    [request({ name: "Ada", language: "tlh" }), 400, /^language: /],
    [request({ name: "Ada" }, "/greeting", "POST"), 404, /^there is only GET/],
    [request({ name: "Ada" }, "/"), 404, /^there is only GET/],
  ] as const) {
    test(`a client's mistake is answered ${status}, ${fault}, and counted`, async () => {
      const { statusCode, body } = await handler(event, context);

      assert.equal(statusCode, status);
      assert.match(JSON.parse(body ?? "").message, fault);
      assert.equal((await logged(() => handler(event, context))).at(-1)?.BadRequests, 1);
    });
  }

  test("a request without a query is a client's mistake", async () => {
    const { queryStringParameters: _, ...event } = request({});

    assert.equal((await handler(event, context)).statusCode, 400);
  });

  test("a fault of ours is thrown so that alarms see it", async () => {
    const event = Object.defineProperty(request({}), "queryStringParameters", {
      get: () => {
        throw new Error("ours");
      },
    });

    await assert.rejects(handler(event, context), { message: "ours" });
  });

  test("a request is logged in one line and counted in another", async () => {
    const [line, metrics] = await logged(() => handler(request({ name: "Ada" }), context));

    assert.equal(line?.message, "greeted");
    assert.equal(line?.function_request_id, "5c8f1d3e");
    assert.deepEqual([metrics?.Requests, metrics?.Greetings], [1, 1]);
  });

  test("neither names nor credentials are logged", async () => {
    for (const query of [{ name: "Ada" }, { name: "Ada", language: "tlh" }]) {
      assert.doesNotMatch(JSON.stringify(await logged(() => handler(request(query), context))), /Ada|secret/);
    }
  });
});
