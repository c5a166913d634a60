# What judges a release: Prometheus with its operator, and the rollouts controller. Rules and dashboards are the
# repository's own chart (monitoring/chart), installed by Helm when they change, not by whoever made the cluster.
resource "helm_release" "prometheus" {
  count = var.monitoring == null ? 0 : 1

  name             = "prometheus"
  namespace        = "monitoring"
  create_namespace = true
  repository       = var.repositories.prometheus
  chart            = "kube-prometheus-stack"
  version          = var.monitoring.prometheus
  atomic           = true

  values = [yamlencode({
    prometheus = {
      prometheusSpec = {
        # every PodMonitor and rule of the environments, whoever installed it
        podMonitorSelectorNilUsesHelmValues = false
        ruleSelectorNilUsesHelmValues       = false
        retention                           = "15d"
      }
    }
    grafana = { sidecar = { dashboards = { searchNamespace = "ALL" } } }
  })]
}

resource "helm_release" "rollouts" {
  count = var.monitoring == null ? 0 : 1

  name             = "argo-rollouts"
  namespace        = "argo-rollouts"
  create_namespace = true
  repository       = var.repositories.rollouts
  chart            = "argo-rollouts"
  version          = var.monitoring.rollouts
  atomic           = true

  values = [yamlencode({
    controller = {
      image   = { tag = var.monitoring.controller }
      metrics = { enabled = true }
    }
  })]
}
