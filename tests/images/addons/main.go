// Command addons is what k3s runs in kube-system, in one binary: the first argument names the program.
package main

import (
	"fmt"
	"os"

	"k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	metricsserver "sigs.k8s.io/metrics-server/cmd/metrics-server/app"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	// The plugins that the Corefile of k3s names, and no more: the others bring the libraries of three clouds.
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() {
	programs := map[string]func(){
		"coredns": func() {
			// The order in which plugins see a query; it is the one of CoreDNS's own list.
			dnsserver.Directives = []string{"reload", "ready", "health", "prometheus", "errors", "log", "loadbalance",
				"cache", "hosts", "kubernetes", "loop", "forward"}
			coremain.Run()
		},
		"metrics-server": func() {
			os.Exit(cli.Run(metricsserver.NewMetricsServerCommand(server.SetupSignalHandler())))
		},
	}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: addons coredns|metrics-server [flags]")
		os.Exit(2)
	}
	program := programs[os.Args[1]]
	os.Args = os.Args[1:]
	program()
}
