# The most that a function may ever have, whatever its permissions.tf says, and the most that the roles may have which
# build, deploy and test it. Widen them here, for all functions of the organization: they are what keeps a deployer from
# granting its function more than a function needs, and an operator from granting a deployer more than that.

locals {
  # Data is a function's own if it has its name or its tag; accounts.yaml names what else functions of an account use.
  own       = "$${aws:PrincipalTag/function}"
  own_store = "arn:aws:s3:::${local.own}-${local.account.id}"
  shared    = local.environment == null ? [] : try(coalesce(local.environment.shared), [])

  of_streams = [
    "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
    "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards",
  ]
  of_queues = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]
  of_callers = [
    "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
    "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem", "kinesis:PutRecord", "kinesis:PutRecords",
    "states:StartExecution",
  ]
  of_targets = ["events:PutEvents", "lambda:InvokeFunction", "sns:Publish"]
  of_buckets = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject"]
  of_keys    = ["kms:Decrypt", "kms:GenerateDataKey"]
  of_table_keys = [
    "kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
  ]
  of_secrets = ["secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
  # With which Lambda itself puts a function into a network.
  of_networks = [
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
  ]
  observations = [
    "cloudwatch:PutMetricData", "dynamodb:ListStreams", "logs:CreateLogStream", "logs:PutLogEvents",
    "xray:PutTelemetryRecords", "xray:PutTraceSegments",
  ]
}

resource "aws_iam_policy" "boundary" {
  for_each = local.environment == null ? {} : {
    functions = { name = "boundary", description = "The most that a function may ever have" }
    pipelines = { name = "pipelines-boundary", description = "The most that what builds and deploys functions may ever have" }
    verifiers = { name = "verifiers-boundary", description = "The most that what tests functions as they are deployed may ever have" }
  }

  name        = "${local.organization}-${each.value.name}"
  description = each.value.description
  policy = {
    functions = data.aws_iam_policy_document.functions_boundary.json
    pipelines = data.aws_iam_policy_document.pipelines_boundary.json
    verifiers = data.aws_iam_policy_document.verifiers_boundary.json
  }[each.key]
}

data "aws_iam_policy_document" "functions_boundary" {
  statement {
    sid       = "Observe"
    actions   = local.observations
    resources = ["*"] # a ceiling, not a grant: which of them, a function's own policy says
  }

  statement {
    sid       = "UseWhatHasItsTag"
    actions   = concat(local.of_streams, local.of_queues, local.of_callers, local.of_targets, local.of_keys, local.of_secrets)
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/function"
      values   = [local.own]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account.id]
    }
  }

  statement {
    sid     = "UseWhatHasItsName"
    actions = concat(local.of_buckets, local.of_secrets)
    resources = [
      local.own_store, "${local.own_store}/*",
      "arn:aws:secretsmanager:${local.here}:secret:${local.own}/*", "arn:aws:ssm:${local.here}:parameter/${local.own}/*",
    ]
  }

  # The stream of a table has no tags of the table: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/abac-streams.html
  statement {
    sid       = "UseStreamsOfWhatHasItsName"
    actions   = [for action in local.of_streams : action if startswith(action, "dynamodb:")]
    resources = ["arn:aws:dynamodb:${local.here}:table/${local.own}/stream/*"]
  }

  dynamic "statement" {
    for_each = length(local.shared) == 0 ? [] : [local.shared]

    content {
      sid = "UseWhatIsShared"
      actions = concat(
        local.of_streams, local.of_queues, local.of_callers, local.of_targets, local.of_buckets, local.of_keys, local.of_secrets
      )
      resources = statement.value
    }
  }

  # What is encrypted by the account's key, as far as it may use it at all.
  statement {
    sid       = "UseKeyThroughServices"
    actions   = local.of_keys
    resources = [local.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values = [
        for service in ["dynamodb", "kinesis", "s3", "secretsmanager", "sns", "sqs", "ssm"] : "${service}.${local.region}.amazonaws.com"
      ]
    }
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
  statement {
    sid       = "UseNetworkAsLambdaItself"
    actions   = local.of_networks
    resources = ["*"]

    condition {
      test     = "Null"
      variable = "lambda:SourceFunctionArn"
      values   = ["true"]
    }
  }

  # What invokes it on a schedule is encrypted for that schedule. Scheduler decrypts it in a role of the function.
  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
  statement {
    sid       = "DecryptItsSchedules"
    actions   = ["kms:Decrypt"]
    resources = [local.key_arn]

    condition {
      test     = "StringLike"
      variable = "kms:EncryptionContext:aws:scheduler:schedule:arn"
      values   = ["arn:aws:scheduler:${local.here}:schedule/${local.own}/*"]
    }
  }

  # Whoever else takes the role, since its trust or its keys have come into other hands, has nothing by it. What is
  # spared, Lambda does for the function: it polls, tells where an event has failed, puts it into a network.
  # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
  statement {
    sid         = "OnlyFromTheFunctionItself"
    effect      = "Deny"
    not_actions = concat(local.of_streams, local.of_queues, local.of_targets, local.of_keys, local.of_networks, local.observations)
    resources   = ["*"]

    condition {
      test     = "Null"
      variable = "lambda:SourceFunctionArn"
      values   = ["true"]
    }
  }

  # What the foundation and the pipelines live by.
  statement {
    sid       = "NoStateNoReleases"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = flatten([for arn in values(local.bucket_arns) : [arn, "${arn}/*"]])
  }

  statement {
    sid       = "NotThePromoter"
    effect    = "Deny"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:aws:lambda:${local.here}:function:${local.promoter_name}", "arn:aws:lambda:${local.here}:function:${local.promoter_name}:*"]
  }
}

data "aws_iam_policy_document" "pipelines_boundary" {
  statement {
    sid = "DeployFunctions"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
      "codedeploy:CreateApplication", "codedeploy:CreateDeployment", "codedeploy:CreateDeploymentGroup",
      "codedeploy:DeleteApplication", "codedeploy:DeleteDeploymentGroup", "codedeploy:GetApplication",
      "codedeploy:GetApplicationRevision", "codedeploy:GetDeployment", "codedeploy:GetDeploymentConfig",
      "codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments", "codedeploy:ListTagsForResource",
      "codedeploy:RegisterApplicationRevision", "codedeploy:TagResource", "codedeploy:UntagResource",
      "codedeploy:UpdateDeploymentGroup",
      "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
      "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency", "lambda:GetAlias", "lambda:GetFunction*",
      "lambda:GetProvisionedConcurrencyConfig", "lambda:InvokeFunction", "lambda:ListAliases", "lambda:ListTags",
      "lambda:ListVersionsByFunction", "lambda:PublishVersion", "lambda:PutFunctionConcurrency", "lambda:TagResource", "lambda:UntagResource",
      "lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DeleteLogGroup", "logs:DescribeLogGroups",
      "logs:ListTagsForResource", "logs:PutLogEvents", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
    ]
    resources = ["*"] # a ceiling, not a grant: on which of them, the roles' own policies say
  }

  # Each of triggers/, as its pipeline/trigger.tf asks for it; by patterns, since a boundary may have 6,144 characters.
  statement {
    sid = "DeployTriggers"
    actions = [
      "apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:TagResource",
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
      "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
      "dynamodb:*ContinuousBackups", "dynamodb:*Resource", "dynamodb:*Table", "dynamodb:DescribeTimeToLive",
      "kinesis:*Resource", "kinesis:*Stream*", "kinesis:DescribeLimits", "kinesis:UpdateShardCount",
      "lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping",
      "lambda:UpdateEventSourceMapping",
      "events:*Rule", "events:*Targets", "events:ListTagsForResource", "events:TagResource", "events:UntagResource",
      "lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission",
      "lambda:DeleteFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig",
      "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:SetQueueAttributes",
      "sqs:TagQueue", "sqs:UntagQueue",
      "sns:CreateTopic", "sns:DeleteTopic", "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
      "sns:ListTagsForResource", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe",
      "sns:UntagResource",
      "scheduler:*", # which are two more, that list; a policy may have 6,144 characters
    ]
    resources = ["*"]
  }

  # Those of the foundation aside. Some actions by their beginnings: a boundary may have 6,144 characters.
  statement {
    sid = "DeployBuckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket*", "s3:Get*Configuration", "s3:GetBucket*", "s3:ListBucket", "s3:PutBucket*",
      "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
    ]
    not_resources = values(local.bucket_arns)
  }

  statement {
    sid = "Build"
    actions = [
      "codebuild:BatchPutTestCases", "codebuild:CreateReport", "codebuild:CreateReportGroup", "codebuild:UpdateReport",
      "codeconnections:UseConnection", "codestar-connections:UseConnection",
    ]
    resources = ["*"]
  }

  statement {
    sid     = "PassArtifactsAndKeepState"
    actions = ["s3:DeleteObject", "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject"]
    resources = flatten([for bucket, of in {
      artifacts = ["/releases/*"], pipelines = ["", "/*"], state = ["", "/functions/*"]
    } : [for part in of : "${local.bucket_arns[bucket]}${part}"] if contains(keys(local.buckets), bucket)])
  }

  # One statement, since a boundary may have 6,144 characters: neither's actions mean the other.
  statement {
    sid       = "UseKeyAndTellOfDrift"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "sns:Publish"]
    resources = [local.key_arn, "arn:aws:sns:${local.here}:${local.alerts}"]
  }

  # For whoever chooses a table's key: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
  statement {
    sid       = "LetDynamoDBUseKey"
    actions   = local.of_table_keys
    resources = [local.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${local.region}.amazonaws.com"]
    }
  }

  # The provider looks for the key that DynamoDB would use by itself.
  statement {
    sid       = "FindDefaultKey"
    actions   = ["kms:DescribeKey"]
    resources = ["arn:aws:kms:${local.here}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:RequestAlias"
      values   = ["alias/aws/dynamodb"]
    }
  }

  statement {
    sid = "ReadRoles"
    actions = [
      "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
    ]
    resources = [local.roles_in.functions]
  }

  statement {
    sid       = "ChangeRolesUnderTheBoundary"
    actions   = ["iam:DeleteRolePolicy", "iam:PutRolePolicy"]
    resources = [local.roles_in.functions]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = ["arn:aws:iam::${local.account.id}:policy/${local.organization}-boundary"]
    }
  }

  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = [local.roles_in.functions, local.roles_in.pipelines]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["codedeploy.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"]
    }
  }

  statement {
    sid       = "FindSecrets"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:aws:ssm:${local.here}:parameter/*"]
  }

  # A plan asks whether secrets are there. Parameter Store encrypts each under its ARN.
  # https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
  statement {
    sid       = "NoSecrets"
    effect    = "Deny"
    actions   = ["kms:Decrypt"]
    resources = ["*"]

    condition {
      test     = "Null"
      variable = "kms:EncryptionContext:PARAMETER_ARN"
      values   = ["false"]
    }
  }

  statement {
    sid       = "NotThePromoter"
    effect    = "Deny"
    actions   = ["lambda:*"]
    resources = ["arn:aws:lambda:${local.here}:function:${local.promoter_name}", "arn:aws:lambda:${local.here}:function:${local.promoter_name}:*"]
  }
}

# A verifier runs the code of every commit in every account: it may use its own function and what invokes that, by name or tag.
data "aws_iam_policy_document" "verifiers_boundary" {
  statement {
    sid       = "TakeReleases"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion"]
    resources = [for part in ["", "/*"] : "${local.bucket_arns["pipelines"]}${part}" if local.environment != null]
  }

  statement {
    sid = "UseWhatHasItsName"
    actions = [
      "lambda:GetFunctionConfiguration", "lambda:InvokeFunction", "logs:FilterLogEvents", "s3:PutObject", "scheduler:CreateSchedule",
      "scheduler:GetSchedule",
    ]
    resources = [
      "arn:aws:lambda:${local.here}:function:${local.own}:*", "arn:aws:logs:${local.here}:log-group:/aws/lambda/${local.own}:*",
      "${local.own_store}/*", "arn:aws:scheduler:${local.here}:schedule/${local.own}/*",
    ]
  }

  statement {
    sid       = "UseWhatHasItsTag"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem", "kinesis:PutRecord", "sns:Publish", "sqs:SendMessage"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/function"
      values   = [local.own]
    }
  }

  statement {
    sid       = "PutItsEvents"
    actions   = ["events:PutEvents"]
    resources = ["arn:aws:events:${local.here}:event-bus/default"]

    condition {
      test     = "StringEquals"
      variable = "events:source"
      values   = [local.own]
    }
  }

  statement {
    sid       = "PassRoleOfItsSchedules"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${local.account.id}:role${local.paths.functions}${local.own}-scheduler"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.amazonaws.com"]
    }
  }

  # AWS tells IAM neither the name nor a tag of an API that is called.
  statement {
    sid       = "FindAndCallApis"
    actions   = ["apigateway:GET", "execute-api:Invoke"]
    resources = ["arn:aws:apigateway:${local.region}::/apis", "arn:aws:execute-api:${local.here}:*/$default/*"]
  }

  # Not through Parameter Store: no secrets.
  statement {
    sid       = "UseKeyThroughServices"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = [local.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "kinesis", "s3", "scheduler", "sns", "sqs"] : "${service}.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:${local.here}:log-group:/aws/codebuild/${local.own}-verify:*"]
  }
}
