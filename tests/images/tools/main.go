// Command k3d-tools stands in for the program of k3d's tools image: it waits, or saves images of the Docker engine.
//
//	k3d-tools noop
//	k3d-tools save-image -d FILE IMAGE…
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

func main() {
	if len(os.Args) > 4 && os.Args[1] == "save-image" && os.Args[2] == "-d" {
		if err := save(os.Args[3], os.Args[4:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	for {
		time.Sleep(time.Hour)
	}
}

func save(path string, images []string) error {
	engine := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", "/var/run/docker.sock")
	}}}
	response, err := engine.Get("http://docker/images/get?" + url.Values{"names": images}.Encode())
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		message, _ := io.ReadAll(response.Body)
		return fmt.Errorf("the engine answered %s: %s", response.Status, message)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
