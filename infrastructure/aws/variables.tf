variable "region" {
  description = "Where the registry is."
  type        = string
  default     = "eu-central-1"
}

variable "repository" {
  description = "The forge's repository, like your-org/sluice."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository: write it like your-org/sluice."
  }
}

variable "cluster" {
  description = "The name of an EKS cluster that shall trust the forge's tokens; empty: none."
  type        = string
  default     = ""
}
