# tofu plan -var-file=example.tfvars; replace your-org and the sizes.
environments = {
  staging = {
    gpus     = 4 # two engines, and as many canaries
    cpu      = "32"
    memory   = "256Gi"
    pods     = 30
    subjects = ["repo:your-org/sluice:ref:refs/heads/main"]
  }
  prod = {
    gpus     = 8
    cpu      = "64"
    memory   = "512Gi"
    pods     = 60
    subjects = ["repo:your-org/sluice:ref:refs/heads/main"]
  }
}
