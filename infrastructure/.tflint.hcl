# All rules that tflint brings along; the files here are named for what they make, so there is no main.tf.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

rule "terraform_standard_module_structure" {
  enabled = false
}
