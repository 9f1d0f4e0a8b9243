// Command kube is upstream Kubernetes (without etcd) in one binary, with what k3s adds to it for a node: the first
// argument names the part. Called by the name kubectl it is kubectl.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	}
	commands := map[string]func() *cobra.Command{
		"apiserver":   apiserver.NewAPIServerCommand,
		"controllers": controllers.NewControllerManagerCommand,
		"scheduler":   func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kubelet":     func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
		"proxy":       proxy.NewProxyCommand,
	}
	own := map[string]func(arguments []string) error{
		"ready":      ready,
		"routes":     routes,
		"registries": registries,
	}
	part := ""
	if len(os.Args) > 1 {
		part = os.Args[1]
	}
	switch {
	case commands[part] != nil:
		command := commands[part]()
		os.Args = append([]string{"kube-" + part}, os.Args[2:]...)
		os.Exit(cli.Run(command))
	case own[part] != nil:
		if err := own[part](os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "kube %s: %v\n", part, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: kube apiserver|controllers|scheduler|kubelet|proxy [flags]")
		fmt.Fprintln(os.Stderr, "       kube ready KUBECONFIG PATH [SECONDS]  waits until the API server answers PATH with 200")
		fmt.Fprintln(os.Stderr, "       kube routes KUBECONFIG NODE FILE      keeps routes to the pods, writes the CNI file")
		fmt.Fprintln(os.Stderr, "       kube registries FILE FOLDER           turns a registries.yaml into containerd's hosts files")
		os.Exit(2)
	}
}
