# Where releases live, and what they may cost.
resource "kubernetes_namespace_v1" "environment" {
  for_each = var.environments

  metadata {
    name = each.key
    labels = {
      "app.kubernetes.io/part-of"                  = "sluice"
      "pod-security.kubernetes.io/enforce"         = "restricted" # what every pod of the chart keeps to
      "pod-security.kubernetes.io/enforce-version" = "latest"
    }
  }
}

resource "kubernetes_resource_quota_v1" "budget" {
  for_each = var.environments

  metadata {
    name      = "budget"
    namespace = kubernetes_namespace_v1.environment[each.key].metadata[0].name
  }

  spec {
    hard = {
      "requests.${var.gpu_resource}" = each.value.gpus
      "requests.cpu"                 = each.value.cpu
      "requests.memory"              = each.value.memory
      "pods"                         = each.value.pods
      "services.loadbalancers"       = 0 # an ingress of the cluster's own stands before the gateway
    }
  }
}

# A quota counts what is asked for, so every container has to ask; no limit is set here, which an engine would run into.
resource "kubernetes_limit_range_v1" "defaults" {
  for_each = var.environments

  metadata {
    name      = "defaults"
    namespace = kubernetes_namespace_v1.environment[each.key].metadata[0].name
  }

  spec {
    limit {
      type            = "Container"
      default_request = { cpu = "100m", memory = "128Mi" }
    }
  }
}
