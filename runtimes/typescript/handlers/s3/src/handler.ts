import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3ObjectCreatedNotificationEvent } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { parseJson } from "./request.ts";

export const s3 = new S3Client();

/** Handles an object that has been put; one without content is what S3's console makes as a folder. */
async function take({ bucket, object }: S3ObjectCreatedNotificationEvent["detail"]): Promise<void> {
  const { key, "version-id": version } = object;
  if (object.size === 0) {
    count("EmptyObjects");
    logger.info("empty", { key });
    return;
  }
  // The version that was found, if the bucket keeps versions.
  const found = await s3.send(new GetObjectCommand({ Bucket: bucket.name, Key: key, VersionId: version }));
  const request = parseJson((await found.Body?.transformToString()) ?? "", "content");
  greet(request);
  count("Greetings");
  logger.info("greeted", { key, version, language: request.language });
}

/** What Lambda calls: reads an object of a bucket; if it throws, Lambda tries again, then keeps the event. */
export const handler = observed(async (event: S3ObjectCreatedNotificationEvent): Promise<void> => {
  try {
    await take(event.detail);
  } catch (error) {
    const { key, "version-id": version } = event.detail.object;
    count("FailedEvents");
    logger.error("failed", { error, key, version });
    throw error;
  }
});
