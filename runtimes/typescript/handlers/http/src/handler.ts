import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { BadRequestError, parse } from "./request.ts";

/** Returns an answer as API Gateway wants it. */
function answer(statusCode: number, message: string): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify({ message }) };
}

/** Answers GET /greeting?name=Ada&language=en with {"message": GREETING}. */
function take(event: APIGatewayProxyEventV2): APIGatewayProxyStructuredResultV2 {
  if (event.requestContext.http.method !== "GET" || event.rawPath !== "/greeting") {
    count("BadRequests");
    return answer(404, "there is only GET /greeting");
  }
  const request = parse(event.queryStringParameters ?? {}, "query");
  const message = greet(request);
  count("Greetings");
  logger.info("greeted", { language: request.language });
  return answer(200, message);
}

/**
 * What Lambda calls. A client's mistake is answered 4xx. What is thrown is ours: API Gateway answers 500, and
 * alarms see it.
 */
export const handler = observed(
  async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
    count("Requests");
    try {
      return take(event);
    } catch (error) {
      if (!(error instanceof BadRequestError)) throw error;
      count("BadRequests");
      return answer(400, error.message);
    }
  },
);
