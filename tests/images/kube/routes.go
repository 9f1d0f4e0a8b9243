package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// The bridge leaves the sender's address as it is: what leaves the cluster is masqueraded by one rule of the node.
const cniFile = `{"cniVersion": "0.4.0", "name": "cbr0", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipam": {"type": "host-local",
   "dataDir": "/run/cni", "ranges": [[{"subnet": "%s"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// routes does on one Docker network what flannel's host-gw does: the pods of each other node are behind its address.
func routes(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("KUBECONFIG, NODE and FILE are missing")
	}
	clientset, err := client(arguments[0])
	if err != nil {
		return err
	}
	own, file := arguments[1], arguments[2]
	seen := func(object any) {
		node := object.(*corev1.Node)
		if node.Spec.PodCIDR == "" {
			return
		}
		if err := seenNode(node, node.Name == own, file); err != nil {
			fmt.Fprintf(os.Stderr, "node %s: %v\n", node.Name, err)
		}
	}
	factory := informers.NewSharedInformerFactory(clientset, time.Minute)
	_, err = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    seen,
		UpdateFunc: func(_, object any) { seen(object) },
		DeleteFunc: func(object any) {
			if node, ok := object.(*corev1.Node); ok && node.Name != own {
				if _, pods, err := net.ParseCIDR(node.Spec.PodCIDR); err == nil {
					_ = netlink.RouteDel(&netlink.Route{Dst: pods})
				}
			}
		},
	})
	if err != nil {
		return err
	}
	factory.Start(nil)
	select {}
}

func seenNode(node *corev1.Node, own bool, file string) error {
	_, pods, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil {
		return err
	}
	if own {
		content := fmt.Sprintf(cniFile, pods)
		if there, err := os.ReadFile(file); err == nil && string(there) == content {
			return nil
		}
		// Renamed into place: containerd reads the folder whenever something in it changes.
		if err := os.WriteFile(file+".new", []byte(content), 0o644); err != nil {
			return err
		}
		return os.Rename(file+".new", file)
	}
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return netlink.RouteReplace(&netlink.Route{Dst: pods, Gw: net.ParseIP(address.Address)})
		}
	}
	return nil
}
