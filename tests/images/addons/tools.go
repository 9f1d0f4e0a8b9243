//go:build tools

package main

import _ "github.com/rancher/local-path-provisioner"
