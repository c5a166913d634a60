output "users" {
  description = "By environment, the names that the API server must know the workflows by."
  value       = { for name, one in var.environments : name => [for subject in one.subjects : "${var.user_prefix}${subject}"] }
}

output "namespaces" {
  description = "What `sluice deploy` finds there."
  value       = sort(keys(kubernetes_namespace_v1.environment))
}
