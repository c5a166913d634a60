# One cloud as an example: where images go, who may push them, and how an EKS cluster comes to trust the forge's tokens.
# With ghcr.io and a cluster of your own none of this is needed: the workflow's token pushes, and the API server is told.
terraform {
  required_version = ">= 1.8.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.20"
    }
  }
}

provider "aws" {
  region = var.region
}
