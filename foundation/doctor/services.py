"""Whether the services answer in the region, and how much of them an account may use."""

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from foundation.doctor.account import DOCS, Account, Finding, denied, listed

SERVICES = {
    "CodePipeline": ("codepipeline", "list_pipelines"),
    "CodeBuild": ("codebuild", "list_projects"),
    "CodeConnections": ("codestar-connections", "list_connections"),
    "CodeDeploy": ("codedeploy", "list_applications"),
    "EventBridge": ("events", "list_rules"),
    "Lambda": ("lambda", "list_functions"),
}
# https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
BUILDS = ("codebuild", "L-5ED1D25B")
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
RULES = ("events", "L-244521F2")
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CODE, CONCURRENCY = ("lambda", "L-2ACBD22F"), ("lambda", "L-B99A9384")
BUILDS_WANTED = 2  # one may wait for the shift of its traffic
CONCURRENCY_WANTED = 100  # new accounts have less
NEARLY = 0.8  # of a quota


def services(account: Account) -> Iterator[Finding]:
    """Ask each service for a list."""
    answering = []
    for name, (service, operation) in SERVICES.items():
        try:
            getattr(account.client(service), operation)()
        except (BotoCoreError, ClientError) as error:
            if denied(error) and "service control policy" not in str(error):
                raise
            yield Finding(
                "fault",
                f"{name} does not answer in {account.region}: {error}",
                "name another region in accounts.yaml, or have the organization allow the service",
            )
        else:
            answering.append(name)
    if answering:
        yield Finding("ok", f"in {account.region} answer {', '.join(answering)}")


def builds(account: Account) -> Iterator[Finding]:
    """Compare how many builds may run at once with how many have to."""
    allowed = quota(account, *BUILDS)
    if allowed is None:
        yield Finding(
            "warning",
            f"{account.region} has no quota of small builds on Arm ({BUILDS[1]}), so perhaps no such builds",
            f"{DOCS} says where to see which regions have them",
        )
        return
    text = f"small builds on Arm at once: {allowed:.0f}"
    if allowed < BUILDS_WANTED:
        text += "; while one shifts traffic, those of all functions wait"
        yield Finding("warning", text, "have it raised before the second function", raising(BUILDS, 10))
    else:
        yield Finding("ok", text)


def rules(account: Account) -> Iterator[Finding]:
    """Count the rules on the bus."""
    there = sum(1 for _ in listed(account.client("events"), "list_rules", "Rules"))
    allowed = quota(account, *RULES)
    if allowed is None:
        yield Finding("warning", f"{account.region} has no quota of rules ({RULES[1]})")
        return
    text = f"rules on the default bus: {there} of {allowed:.0f}; each function takes one"
    if there < NEARLY * allowed:
        yield Finding("ok", text)
    else:
        yield Finding("warning", text, "have it raised", raising(RULES, int(allowed * 2)))


def lambda_(account: Account) -> Iterator[Finding]:
    """Compare what Lambda allows with what is used and with what is wanted."""
    settings = account.client("lambda").get_account_settings()
    limit = settings["AccountLimit"]
    used, allowed = (settings[of]["TotalCodeSize"] / 1024**3 for of in ("AccountUsage", "AccountLimit"))
    text = f"code in Lambda: {used:.1f} of {allowed:.0f} GB"
    if used < NEARLY * allowed:
        yield Finding("ok", text)
    else:
        remedy = "delete versions and functions that nobody needs, or have it raised"
        yield Finding("warning", text, remedy, raising(CODE, int(allowed * 2)))
    at_once = limit["ConcurrentExecutions"]
    text = f"executions of all functions at once: {at_once}"
    if at_once >= CONCURRENCY_WANTED:
        yield Finding("ok", text)
    else:
        yield Finding("warning", text, "have it raised before there is traffic", raising(CONCURRENCY, 1000))


def quota(account: Account, service: str, code: str) -> float | None:
    """Return a quota as it applies, or else its default; None if the region has no such quota.

    https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
    """
    quotas = account.client("service-quotas")
    for ask in quotas.get_service_quota, quotas.get_aws_default_service_quota:
        try:
            return float(ask(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
        except quotas.exceptions.NoSuchResourceException:
            continue
    return None


def raising(quota: tuple[str, str], value: int) -> str:
    """Return the command that asks for a higher quota."""
    service, code = quota
    command = "aws service-quotas request-service-quota-increase"
    return f"{command} --service-code {service} --quota-code {code} --desired-value {value}"
