output "registry" {
  description = "For the repository variable REGISTRY."
  value       = trimsuffix(aws_ecr_repository.image["gateway"].repository_url, "/gateway")
}

output "push" {
  description = "For the repository variable AWS_PUSH_ROLE: what a workflow assumes before it pushes."
  value       = aws_iam_role.push.arn
}

output "pull" {
  description = "For the repository variable AWS_PULL_ROLE: what a workflow assumes before it pulls."
  value       = aws_iam_role.pull.arn
}

output "region" {
  description = "For the repository variable AWS_REGION."
  value       = var.region
}
