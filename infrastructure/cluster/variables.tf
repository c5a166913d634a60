variable "kubeconfig" {
  description = "Path of the kubeconfig."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Its context; null takes the current one."
  type        = string
  default     = null
}

variable "environments" {
  description = "One namespace each, by the name of its folder under environments/. The quota is the budget's cap: a canary that does not fit stays pending, and its release ends by progressDeadlineSeconds."
  type = map(object({
    gpus     = number # of engine.gpu.resource; a canary runs beside stable, so at least one more than stable has
    cpu      = string
    memory   = string
    pods     = number
    subjects = list(string) # of the forge's tokens, see roles.tf
  }))

  validation {
    condition     = alltrue([for one in values(var.environments) : one.gpus >= 0 && one.pods > 0])
    error_message = "environments: gpus may be 0 and pods must be above 0."
  }

  validation {
    condition     = alltrue([for name in keys(var.environments) : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", name))])
    error_message = "environments: every name must be one that Kubernetes takes for a namespace."
  }
}

variable "gpu_resource" {
  description = "What the device plugin calls a GPU; the same as engine.gpu.resource of the chart."
  type        = string
  default     = "nvidia.com/gpu"
}

variable "user_prefix" {
  description = "What the API server's authentication configuration puts before a token's subject."
  type        = string
  default     = "sluice:"
}

variable "monitoring" {
  description = "Versions of the charts that the releases are watched by; null installs none, for a cluster that has them."
  type = object({
    prometheus = string # kube-prometheus-stack
    rollouts   = string # argo-rollouts
    controller = string # the rollouts controller's image, which the chart's own default is behind
  })
  default = {
    prometheus = "88.5.3"
    rollouts   = "2.41.0"
    controller = "v1.10.1" # what the gates were proved with
  }
}

variable "repositories" {
  description = "Where those charts are; mirrors of your own for whoever cannot reach these."
  type        = object({ prometheus = string, rollouts = string })
  default = {
    prometheus = "https://prometheus-community.github.io/helm-charts"
    rollouts   = "https://argoproj.github.io/argo-helm"
  }
}
