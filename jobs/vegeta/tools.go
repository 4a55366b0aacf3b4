//go:build tools

// Package tools pins vegeta, the load generator, to one version with its checksums.
package tools

import _ "github.com/tsenart/vegeta/v12"
