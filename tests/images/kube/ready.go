package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func client(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return kubernetes.NewForConfig(config)
}

// ready waits in one process: a kubectl a time would take more of the processor than the API server while it starts.
func ready(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("KUBECONFIG and PATH are missing")
	}
	limit := 600
	if len(arguments) > 2 {
		var err error
		if limit, err = strconv.Atoi(arguments[2]); err != nil {
			return err
		}
	}
	clientset, err := client(arguments[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(limit)*time.Second)
	defer cancel()
	for {
		request, stop := context.WithTimeout(ctx, 5*time.Second)
		_, err := clientset.RESTClient().Get().AbsPath(arguments[1]).DoRaw(request)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer to %s within %d seconds: %w", arguments[1], limit, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
