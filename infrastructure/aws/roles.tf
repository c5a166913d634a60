# Workflows of main may push images, any of the repository may pull them; they show a token of the forge, and no access
# key exists.
resource "aws_iam_openid_connect_provider" "forge" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.forge.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:ref:refs/heads/main"]
    }
  }
}

data "aws_iam_policy_document" "readers" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.forge.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringLike" # a pull request that is measured, and a forge's environment, have subjects of their own
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:*"]
    }
  }
}

data "aws_iam_policy_document" "push" { # all that `pull` may, and uploads
  source_policy_documents = [data.aws_iam_policy_document.pull.json]
  statement {
    actions   = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
    resources = [for one in aws_ecr_repository.image : one.arn]
  }
}

resource "aws_iam_role" "push" {
  name                 = "sluice-push"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "push" {
  name   = "push"
  role   = aws_iam_role.push.id
  policy = data.aws_iam_policy_document.push.json
}

data "aws_iam_policy_document" "pull" {
  # checkov:skip=CKV_AWS_356: a token for the registry is not of one repository
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [for one in aws_ecr_repository.image : one.arn]
  }
}

resource "aws_iam_role" "pull" {
  name                 = "sluice-pull"
  assume_role_policy   = data.aws_iam_policy_document.readers.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "pull" {
  name   = "pull"
  role   = aws_iam_role.pull.id
  policy = data.aws_iam_policy_document.pull.json
}

# The cluster's API server takes the forge's tokens as users; ../cluster/roles.tf says what each may do.
resource "aws_eks_identity_provider_config" "forge" {
  count = var.cluster == "" ? 0 : 1

  cluster_name = var.cluster
  oidc {
    identity_provider_config_name = "forge"
    issuer_url                    = "https://token.actions.githubusercontent.com"
    client_id                     = "sluice"
    username_claim                = "sub"
    username_prefix               = "sluice:"
  }
}
