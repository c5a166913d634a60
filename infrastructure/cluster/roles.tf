# Who may release: workflows of the forge, by the subject of their own tokens; no kubeconfig is kept as a secret.
# The API server must trust the forge's issuer for the audience `sluice` (structured authentication, or ../aws for EKS).
locals {
  grants = merge([
    for name, one in var.environments : {
      for subject in one.subjects : "${name}/${subject}" => { namespace = name, subject = subject }
    }
  ]...)
}

resource "kubernetes_role_v1" "release" {
  for_each = var.environments

  metadata {
    name      = "sluice-release"
    namespace = kubernetes_namespace_v1.environment[each.key].metadata[0].name
  }

  # What the chart holds, and Helm's own records, which are Secrets.
  rule {
    api_groups = [""]
    resources  = ["configmaps", "secrets", "services", "serviceaccounts"]
    verbs      = ["get", "list", "watch", "create", "update", "patch", "delete"]
  }
  rule {
    api_groups = ["apps"]
    resources  = ["deployments"]
    verbs      = ["get", "list", "watch", "create", "update", "patch", "delete"]
  }
  rule {
    api_groups = ["policy", "networking.k8s.io", "rbac.authorization.k8s.io", "traefik.io", "gateway.networking.k8s.io"]
    resources  = ["poddisruptionbudgets", "networkpolicies", "roles", "rolebindings", "traefikservices", "httproutes"]
    verbs      = ["get", "list", "watch", "create", "update", "patch", "delete"]
  }
  rule {
    api_groups = ["argoproj.io"]
    resources  = ["rollouts", "rollouts/status", "analysistemplates", "analysisruns"]
    verbs      = ["get", "list", "watch", "create", "update", "patch", "delete"]
  }
  # What the chart's own roles grant; nobody may grant more than they have.
  rule {
    api_groups = [""]
    resources  = ["pods"]
    verbs      = ["get", "list", "watch"]
  }
  rule {
    api_groups = ["apps"]
    resources  = ["replicasets"]
    verbs      = ["get", "list", "watch"]
  }
  # `sluice samples` asks the gateway through the API server.
  rule {
    api_groups = [""]
    resources  = ["services/proxy"]
    verbs      = ["get", "create"]
  }
}

resource "kubernetes_role_binding_v1" "release" {
  for_each = local.grants

  metadata {
    name      = "sluice-release-${substr(sha256(each.value.subject), 0, 10)}"
    namespace = kubernetes_namespace_v1.environment[each.value.namespace].metadata[0].name
  }

  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "Role"
    name      = kubernetes_role_v1.release[each.value.namespace].metadata[0].name
  }

  subject {
    api_group = "rbac.authorization.k8s.io"
    kind      = "User"
    name      = "${var.user_prefix}${each.value.subject}"
  }
}
