"""What it rests on that a service asks for more than its call's own action, or for anything by itself."""

from emulator.calls import MISSING, MODEL, Basis, doc, guess

AUTHORIZATION = doc(
    "service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
)
CODE = doc("lambda/latest/dg/troubleshooting-deployment.html")
PIPELINE_ROLE = doc("codepipeline/latest/userguide/how-to-custom-role.html")
BUILD_ROLE = doc("codebuild/latest/userguide/setting-up-service-role.html")
EXECUTION_ROLE = doc("lambda/latest/dg/lambda-intro-execution-role.html")
LISTED = doc("AmazonS3/latest/API/API_GetObject.html")
S3_KMS = doc("AmazonS3/latest/userguide/UsingKMSEncryption.html")
SNS_KMS = doc("sns/latest/dg/sns-key-management.html")
DEPLOYMENT = guess("create a deployment by a role that lacks it")
NETWORK = doc("lambda/latest/dg/configuration-vpc.html")
PARAMETER_KMS = doc("kms/latest/developerguide/services-parameter-store.html")
SQS_KMS = doc("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html")
POLLING = doc("lambda/latest/dg/services-sqs-configure.html")
RECORDS = doc("lambda/latest/dg/invocation-async-retain-records.html")
SCHEDULE_POLICIES = doc("scheduler/latest/UserGuide/security_iam_id-based-policy-examples.html")
TABLE_KMS = doc("amazondynamodb/latest/developerguide/encryption.usagenotes.html")
STREAM_KMS = doc("streams/latest/dev/permissions-user-key-KMS.html")
TABLE_POLLING = doc(
    "amazondynamodb/latest/developerguide/iam-policy-example-lamda-process-dynamodb-streams.html"
)
STREAM_POLLING = doc("lambda/latest/dg/services-kinesis-create.html")
REPORTS = doc("codebuild/latest/userguide/test-permissions.html")

HTTP_APIS = "apigateway/latest/developerguide/http-api-"

# By the service that asks, or does something by itself, and the action; a service's name * is any.
BASES: dict[tuple[str, str], Basis] = {
    ("*", "iam:PassRole"): doc("IAM/latest/UserGuide/id_roles_use_passrole.html"),
    ("*", "sts:AssumeRole"): doc("IAM/latest/UserGuide/id_roles_create_for-service.html"),
    ("*", "sts:AssumeRoleWithWebIdentity"): doc("IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html"),
    ("*", "TagResource"): AUTHORIZATION,
    ("iam", "iam:TagOpenIDConnectProvider"): AUTHORIZATION,
    ("iam", "iam:TagRole"): AUTHORIZATION,
    **{("service-quotas", f"servicequotas:Get{of}ServiceQuota"): AUTHORIZATION for of in ("", "AWSDefault")},
    **{("dynamodb", f"dynamodb:{verb}Item"): AUTHORIZATION for verb in ("ConditionCheck", "Delete", "Get")},
    **{("dynamodb", f"dynamodb:{verb}Item"): AUTHORIZATION for verb in ("Put", "Update")},
    ("lambda", "s3:GetObject"): CODE,
    ("lambda", "s3:GetObjectVersion"): LISTED,
    ("lambda", "kms:Decrypt"): guess("create a function by a role that may read its package, not decrypt it"),
    **{
        ("lambda", f"ec2:{verb}"): NETWORK
        for verb in (
            *("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
            *("DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs"),
        )
    },
    ("lambda", "lambda:ListTags"): MODEL,  # TagsError
    ("lambda by itself", "kms:Decrypt"): POLLING,
    ("lambda by itself", "kms:GenerateDataKey"): SQS_KMS,
    ("lambda", "sqs:SendMessage"): RECORDS,
    **{
        ("lambda", f"sqs:{verb}"): POLLING
        for verb in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    },
    **{
        ("lambda", f"dynamodb:{verb}"): TABLE_POLLING
        for verb in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    },
    **{
        ("lambda", f"kinesis:{verb}"): STREAM_POLLING
        for verb in (
            "DescribeStream",
            "DescribeStreamSummary",
            "GetRecords",
            "GetShardIterator",
            "ListShards",
        )
    },
    **{("sqs", f"kms:{verb}"): SQS_KMS for verb in ("Decrypt", "GenerateDataKey")},
    **{("kinesis", f"kms:{verb}"): STREAM_KMS for verb in ("Decrypt", "GenerateDataKey")},
    **{
        ("dynamodb", f"kms:{verb}"): TABLE_KMS
        for verb in (
            *("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"),
            *("GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
        )
    },
    **{("ssm", f"kms:{verb}"): PARAMETER_KMS for verb in ("Decrypt", "Encrypt")},
    ("sqs", "sqs:TagQueue"): doc("AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"),
    **{
        ("apigateway", f"logs:{action}"): doc(f"{HTTP_APIS}logging.html")
        for action in (
            *("CreateLogDelivery", "DeleteLogDelivery", "DescribeResourcePolicies", "GetLogDelivery"),
            *("ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
        )
    },
    ("apigateway", "lambda:InvokeFunction"): doc(f"{HTTP_APIS}troubleshooting-lambda.html"),
    **{
        ("delivery", f"logs:{action}"): doc("AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html")
        for action in ("CreateLogStream", "PutLogEvents")
    },
    ("lambda", "logs:CreateLogStream"): EXECUTION_ROLE,
    ("lambda", "logs:PutLogEvents"): EXECUTION_ROLE,
    ("lambda", "xray:PutTraceSegments"): doc("lambda/latest/dg/services-xray.html"),
    ("lambda", "xray:PutTelemetryRecords"): doc("lambda/latest/dg/services-xray.html"),
    **{
        ("s3", f"s3:{verb}Object{version}"): AUTHORIZATION
        for verb in ("Get", "Delete")
        for version in ("", "Version")
    },
    ("s3", "s3:ListBucket"): LISTED,
    ("s3", "kms:Decrypt"): S3_KMS,
    ("s3", "kms:GenerateDataKey"): S3_KMS,
    **{
        (service, "sns:Publish"): doc("sns/latest/dg/sns-access-policy-use-cases.html")
        for service in ("cloudwatch", "events")
    },
    **{
        (service, f"kms:{verb}"): SNS_KMS
        for service in ("cloudwatch", "events", "sns")
        for verb in ("Decrypt", "GenerateDataKey")
    },
    ("sns", "lambda:InvokeFunction"): doc("sns/latest/dg/sns-lambda-as-subscriber.html"),
    ("sns", "sqs:SendMessage"): doc("sns/latest/dg/sns-configure-dead-letter-queue.html"),
    ("scheduler", "codebuild:StartBuild"): doc("scheduler/latest/UserGuide/managing-targets-templated.html"),
    ("scheduler", "lambda:InvokeFunction"): doc("scheduler/latest/UserGuide/setting-up.html"),
    ("scheduler", "sqs:SendMessage"): doc("scheduler/latest/UserGuide/configuring-schedule-dlq.html"),
    ("scheduler", "scheduler:DeleteSchedule"): SCHEDULE_POLICIES,
    **{
        ("scheduler", f"kms:{verb}"): SCHEDULE_POLICIES
        for verb in ("Decrypt", "DescribeKey", "GenerateDataKey")
    },
    ("events", "codepipeline:StartPipelineExecution"): doc(
        "codepipeline/latest/userguide/create-S3-source-events-cfn.html"
    ),
    ("events", "lambda:InvokeFunction"): doc("eventbridge/latest/userguide/eb-use-resource-based.html"),
    ("events", "sqs:SendMessage"): doc("eventbridge/latest/userguide/eb-rule-dlq.html"),
    **{
        ("codedeploy", f"codedeploy:{action}"): DEPLOYMENT
        for action in ("GetDeploymentConfig", "RegisterApplicationRevision", "GetApplicationRevision")
    },
    ("codepipeline", "codestar-connections:PassConnection"): doc(
        "dtconsole/latest/userguide/security-iam.html"
    ),
    **{
        ("codepipeline", action): PIPELINE_ROLE
        for action in (
            *("codebuild:BatchGetBuilds", "codestar-connections:UseConnection", "lambda:ListFunctions"),
            *("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetObject"),
            *("s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:ListBucket"),
            *("s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"),
        )
    },
    ("codebuild", "codestar-connections:UseConnection"): doc(
        "codepipeline/latest/userguide/tutorials-github-gitclone.html"
    ),
    **{
        ("codebuild", action): BUILD_ROLE
        for action in (
            *(
                "s3:GetBucketAcl",
                "s3:GetBucketLocation",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:PutObject",
            ),
        )
    },
    **{
        ("codebuild", f"codebuild:{action}"): REPORTS
        for action in ("CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases")
    },
}


def basis(service: str, action: str) -> Basis:
    """Return what it rests on that a service asks for an action."""
    own = service.removesuffix(" by itself")
    places = (service, action), (own, action), ("*", action), ("*", action.partition(":")[2])
    return next((BASES[place] for place in places if place in BASES), MISSING)
