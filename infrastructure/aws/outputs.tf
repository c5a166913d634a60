output "registry" {
  description = "For the repository variable REGISTRY."
  value       = trimsuffix(aws_ecr_repository.image["gateway"].repository_url, "/gateway")
}

output "role" {
  description = "What a workflow assumes before it pushes."
  value       = aws_iam_role.push.arn
}
