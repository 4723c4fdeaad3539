# What developers may do, in the first environment alone: sandboxes, docs/sandboxes.md. What is theirs is told by the path
# of a role, and by the mark --sandbox- in a name, which neither a function's nor an organization's can hold.

locals {
  mappings = "arn:aws:lambda:${local.here}:event-source-mapping:*" # AWS names them by numbers
  apis     = "arn:aws:apigateway:${local.region}::/apis"           # and these by identifiers of its own
}

data "aws_iam_policy_document" "developer" {
  count = local.builds ? 1 : 0

  statement {
    sid       = "FindStateAndPackages"
    actions   = ["s3:ListBucket"]
    resources = [for of in ["artifacts", "state"] : local.bucket_arns[of]] # without a prefix, lest S3 forbid what is not there yet
  }

  statement {
    sid       = "KeepStateAndPackages"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for of in ["artifacts", "state"] : "${local.bucket_arns[of]}/sandboxes/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = [local.key_arn]
  }

  statement {
    sid = "ManageFunctions"
    actions = [
      "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction", "lambda:GetAlias",
      "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration", "lambda:InvokeFunction",
      "lambda:ListTags", "lambda:ListVersionsByFunction", "lambda:TagResource", "lambda:UntagResource",
      "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    ]
    resources = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"] # with their aliases
  }

  statement {
    sid       = "InvokeWhatIsDeployed"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:aws:lambda:${local.here}:function:*:live"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid = "ManageQueues"
    actions = [
      "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:SendMessage",
      "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
    ]
    resources = ["arn:aws:sqs:${local.here}:*--sandbox-*"]
  }

  statement {
    sid       = "MapQueues"
    actions   = ["lambda:CreateEventSourceMapping"]
    resources = ["*"] # takes no other; so the function is a condition

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"]
    }
  }

  statement {
    sid       = "ChangeMappings"
    actions   = ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = [local.mappings]

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"]
    }
  }

  statement {
    sid       = "ReadMappings"
    actions   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
    resources = [local.mappings] # of whatever function: one is read after it has been deleted, too
  }

  statement {
    sid       = "TagMappings"
    actions   = ["lambda:TagResource"]
    resources = [local.mappings]

    condition {
      test     = "StringLikeIfExists"
      variable = "aws:RequestTag/function"
      values   = ["*--sandbox-*"]
    }

    condition {
      test     = "StringLikeIfExists" # a new one has none yet
      variable = "aws:ResourceTag/function"
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid       = "UntagMappings"
    actions   = ["lambda:UntagResource"]
    resources = [local.mappings]

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/function"
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid       = "SeeNetwork"
    actions   = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
    resources = ["*"] # take no other
  }

  statement {
    sid       = "KeepSecrets"
    actions   = ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"]
    resources = ["arn:aws:ssm:${local.here}:parameter/*--sandbox-*"]
  }

  statement {
    sid       = "EncryptSecrets"
    actions   = ["kms:Encrypt"]
    resources = [local.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ssm.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid = "ConfigureInvocations"
    actions = [
      "lambda:DeleteFunctionEventInvokeConfig", "lambda:GetFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig",
    ]
    resources = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"]
  }

  statement {
    sid       = "LetServicesInvoke"
    actions   = ["lambda:AddPermission", "lambda:RemovePermission"]
    resources = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"]

    condition {
      test     = "StringEquals"
      variable = "lambda:Principal"
      values   = ["apigateway.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com"]
    }
  }

  statement {
    sid       = "ReadWhoMayInvoke"
    actions   = ["lambda:GetPolicy"]
    resources = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"]
  }

  statement {
    sid = "ManageBuckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:GetAccelerateConfiguration", "s3:GetBucketAcl",
      "s3:GetBucketCORS", "s3:GetBucketLogging", "s3:GetBucketNotification", "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketRequestPayment", "s3:GetBucketTagging",
      "s3:GetBucketVersioning", "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketNotification",
      "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
    ]
    resources = ["arn:aws:s3:::*--sandbox-*-${local.account.id}"]
  }

  statement {
    sid       = "PutAndDeleteObjects"
    actions   = ["s3:DeleteObjectVersion", "s3:PutObject"]
    resources = ["arn:aws:s3:::*--sandbox-*-${local.account.id}/*"]
  }

  statement {
    sid = "ManageLogs"
    actions = [
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:FilterLogEvents", "logs:ListTagsForResource", "logs:PutRetentionPolicy",
      "logs:TagResource", "logs:UntagResource",
    ]
    # With what is in them.
    resources = [for of in ["lambda", "vendedlogs/apis"] : "arn:aws:logs:${local.here}:log-group:/aws/${of}/*--sandbox-*"]
  }

  statement {
    sid       = "FindLogs"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "CreateRolesUnderTheBoundary"
    actions   = ["iam:CreateRole"]
    resources = [local.roles_in.sandboxes]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary["functions"].arn]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/function" # by which the boundary tells whose data a role may use
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid       = "TagRolesAsSandboxes"
    actions   = ["iam:TagRole"]
    resources = [local.roles_in.sandboxes]

    condition {
      test     = "StringLikeIfExists"
      variable = "aws:RequestTag/function"
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid       = "ChangeRolesUnderTheBoundary"
    actions   = ["iam:DeleteRolePolicy", "iam:PutRolePolicy"]
    resources = [local.roles_in.sandboxes]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary["functions"].arn]
    }
  }

  statement {
    sid = "ManageRoles"
    actions = [
      "iam:DeleteRole", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies", "iam:UntagRole", "iam:UpdateRoleDescription",
    ]
    resources = [local.roles_in.sandboxes]
  }

  statement {
    sid       = "PassRolesToLambdaAndScheduler"
    actions   = ["iam:PassRole"]
    resources = [local.roles_in.sandboxes]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "scheduler.amazonaws.com"]
    }
  }
}

# What single triggers need.
data "aws_iam_policy_document" "developer_triggers" {
  count = local.builds ? 1 : 0

  statement {
    sid       = "MakeApis"
    actions   = ["apigateway:POST"]
    resources = [local.apis]

    condition {
      test     = "StringLike"
      variable = "apigateway:Request/ApiName"
      values   = ["*--sandbox-*"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/function"
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid       = "ManageApis"
    actions   = ["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"]
    resources = ["${local.apis}/*"]

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/function"
      values   = ["*--sandbox-*"]
    }
  }

  # All but the tag by which it is told whose an API is: AWS tells IAM no tags of an API whose tags are changed.
  statement {
    sid       = "TagApis"
    actions   = ["apigateway:DELETE", "apigateway:POST"]
    resources = ["arn:aws:apigateway:${local.region}::/tags/*"]

    condition {
      test     = "ForAllValues:StringNotEquals"
      variable = "aws:TagKeys"
      values   = ["function"]
    }
  }

  # Which AWS does not list, and was seen to ask for: https://github.com/aws-amplify/amplify-cli/issues/12316
  statement {
    sid       = "TagNewApis"
    actions   = ["apigateway:TagResource"]
    resources = [local.apis, "${local.apis}/*"]

    condition {
      test     = "StringLikeIfExists"
      variable = "aws:RequestTag/function"
      values   = ["*--sandbox-*"]
    }

    condition {
      test     = "StringLikeIfExists" # a new one has none yet
      variable = "aws:ResourceTag/function"
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid       = "FindApis"
    actions   = ["apigateway:GET"]
    resources = [local.apis] # the list of all
  }

  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html#http-api-logging.permissions
  statement {
    sid = "LogRequests"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
      "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]
    resources = ["*"] # take no other
  }

  statement {
    sid       = "SendRequests"
    actions   = ["execute-api:Invoke"]
    resources = ["arn:aws:execute-api:${local.here}:*/$default/*"] # to whatever API here: AWS tells IAM neither name nor tag
  }

  statement {
    sid = "ManageSchedules"
    actions = [
      "scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup",
      "scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource", "scheduler:TagResource",
      "scheduler:UntagResource", "scheduler:UpdateSchedule",
    ]
    resources = [for kind in ["schedule", "schedule-group"] : "arn:aws:scheduler:${local.here}:${kind}/*--sandbox-*"]
  }

  statement {
    sid = "ManageRules"
    actions = [
      "events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule", "events:PutRule",
      "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
    ]
    resources = ["arn:aws:events:${local.here}:rule/*--sandbox-*"]
  }

  statement {
    sid       = "PutEvents"
    actions   = ["events:PutEvents"]
    resources = ["arn:aws:events:${local.here}:event-bus/default"]

    condition {
      test     = "StringLike"
      variable = "events:source"
      values   = ["*--sandbox-*"]
    }
  }

  statement {
    sid = "ManageTables"
    actions = [
      "dynamodb:CreateTable", "dynamodb:DeleteItem", "dynamodb:DeleteTable", "dynamodb:DescribeContinuousBackups",
      "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource", "dynamodb:PutItem",
      "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable",
    ]
    resources = ["arn:aws:dynamodb:${local.here}:table/*--sandbox-*"]
  }

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
    sid = "ManageStreams"
    actions = [
      "kinesis:AddTagsToStream", "kinesis:CreateStream", "kinesis:DecreaseStreamRetentionPeriod", "kinesis:DeleteStream",
      "kinesis:DescribeStreamSummary", "kinesis:IncreaseStreamRetentionPeriod", "kinesis:ListTagsForResource",
      "kinesis:ListTagsForStream", "kinesis:PutRecord", "kinesis:RemoveTagsFromStream", "kinesis:TagResource",
      "kinesis:UntagResource",
    ]
    resources = ["arn:aws:kinesis:${local.here}:stream/*--sandbox-*"]
  }

  statement {
    sid       = "SeeLimitsOfStreams"
    actions   = ["kinesis:DescribeLimits"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "EncryptStreams"
    actions   = ["kinesis:StartStreamEncryption"]
    resources = ["arn:aws:kinesis:${local.here}:stream/*--sandbox-*", local.key_arn] # is of both
  }

  statement {
    sid = "ManageTopics"
    actions = [
      "sns:CreateTopic", "sns:DeleteTopic", "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
      "sns:ListTagsForResource", "sns:Publish", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource",
    ]
    resources = ["arn:aws:sns:${local.here}:*--sandbox-*"] # which their subscriptions count as
  }

  statement {
    sid       = "SubscribeFunctions"
    actions   = ["sns:Subscribe"]
    resources = ["arn:aws:sns:${local.here}:*--sandbox-*"]

    condition {
      test     = "StringEquals"
      variable = "sns:Protocol"
      values   = ["lambda"]
    }

    condition {
      test     = "StringLike"
      variable = "sns:Endpoint"
      values   = ["arn:aws:lambda:${local.here}:function:*--sandbox-*"]
    }
  }
}
