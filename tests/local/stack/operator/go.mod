// The resource that Knative's operator follows: its definition is read from here, nothing is built.
module kserve-triton/tests/operator

go 1.26

require knative.dev/operator v0.48.1
