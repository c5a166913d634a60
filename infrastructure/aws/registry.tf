# Two repositories whose tags cannot be moved: what was signed under v1.2.0 stays v1.2.0.
resource "aws_kms_key" "images" {
  description             = "Images of ${var.repository}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

data "aws_caller_identity" "here" {}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109: a key's policy speaks of that key alone, whatever its resource says
  # checkov:skip=CKV_AWS_111: as above
  # checkov:skip=CKV_AWS_356: as above
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.here.account_id}:root"]
    }
  }
}

resource "aws_ecr_repository" "image" {
  for_each = toset(["gateway", "engine"])

  name                 = "sluice/${each.key}"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.images.arn
  }
}

# Candidates that were never released go; versions stay, because a rollback needs them. A released image has both tags,
# and what a rule selects no later one expires: so the first keeps every version, with a number that is never reached.
# No rule is about what has no tag: here that is only signatures, SBOMs and provenance, which go with their image.
resource "aws_ecr_lifecycle_policy" "image" {
  for_each = aws_ecr_repository.image

  repository = each.value.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "versions, and the candidates that became one"
        selection    = { tagStatus = "tagged", tagPrefixList = ["v"], countType = "imageCountMoreThan", countNumber = 10000 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "candidates, which a failed load test leaves behind"
        selection    = { tagStatus = "tagged", tagPrefixList = ["candidate-"], countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
        action       = { type = "expire" }
      },
    ]
  })
}
