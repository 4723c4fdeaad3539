"""Records of a function's log, as a person reads them: time, request, level, message, fields, trace.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html says what Lambda writes,
https://docs.powertools.aws.dev/lambda/python/latest/core/logger/ what the handler's logger does.
"""

import json
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

REQUEST = 8  # characters that tell one request from another
FINE = ("success", None)  # how an invocation ends of which nothing need be said
# What each record says again.
KNOWN = {
    *("level", "location", "logger", "message", "timestamp", "service", "cold_start", "xray_trace_id"),
    *("function_arn", "function_memory_size", "function_name", "function_request_id", "requestId"),
    *("errorMessage", "errorType", "exception", "exception_name", "stackTrace", "stack_trace"),
}


def readable(message: str, milliseconds: int | None = None) -> str:
    """Return a record in lines, an empty text if it is of metrics or of the platform's bookkeeping.

    milliseconds: since the epoch, when it was logged; else the record says so.
    """
    try:
        record = json.loads(message)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return line(milliseconds, "", "", message.rstrip())
    if (
        "_aws" in record
    ):  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        return ""
    if str(record.get("type", "")).startswith("platform."):
        return of_platform(record, milliseconds)
    when = milliseconds if milliseconds is not None else record.get("timestamp", "")
    request = str(record.get("function_request_id") or record.get("requestId") or "")
    level, said = str(record.get("level", "")), record.get("message", "")
    fields = {name: value for name, value in record.items() if name not in KNOWN}
    if isinstance(said, dict) and "errorType" in said:  # Node.js puts an error there
        record, said = said, ""
    texts = [said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)]
    trace = record.get("exception") or "\n".join(part.rstrip() for part in record.get("stackTrace", []))
    if error := record.get("errorType"):
        texts += [f"{error}: {record.get('errorMessage', '')}"]
    texts += [f"{name}={plain(value)}" for name, value in fields.items()]
    first = line(when, request, level, "  ".join(filter(None, texts)))
    return "\n".join(filter(None, [first, indent(trace.rstrip(), "  ")]))


def of_platform(record: dict[str, Any], milliseconds: int | None) -> str:
    """Return what Lambda says of an invocation that has not ended well, such as by its timeout."""
    told = record.get("record", {})
    if record["type"] not in ("platform.report", "platform.initReport") or told.get("status") in FINE:
        return ""
    took = told.get("metrics", {}).get("durationMs")
    said = f"{told['status']} after {took:.0f} ms" if took is not None else told["status"]
    error = f"  {told['errorType']}" if told.get("errorType") else ""
    return line(milliseconds or record.get("time", ""), told.get("requestId", ""), "ERROR", said + error)


def line(when: int | str | None, request: str, level: str, text: str) -> str:
    """Return a record's first line. when: milliseconds since the epoch, or as a record has it; in UTC."""
    if isinstance(when, int):
        moment = datetime.fromtimestamp(when / 1000, UTC)
    elif when:
        moment = datetime.fromisoformat(when.replace(",", ".")).astimezone(UTC)
    else:
        return text
    time = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return " ".join(filter(None, [time, request[:REQUEST], f"{level:<7}" if level else "", text]))


def plain(value: Any) -> str:
    """Return a field's value."""
    return value if isinstance(value, str) and " " not in value else json.dumps(value, ensure_ascii=False)
