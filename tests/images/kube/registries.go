package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// The parts of k3s's registries.yaml that containerd's hosts files know; names and passwords are not among them.
type registriesFile struct {
	Mirrors map[string]struct {
		Endpoint []string          `json:"endpoint"`
		Rewrite  map[string]string `json:"rewrite"`
	} `json:"mirrors"`
	Configs map[string]struct {
		TLS struct {
			CAFile             string `json:"ca_file"`
			CertFile           string `json:"cert_file"`
			KeyFile            string `json:"key_file"`
			InsecureSkipVerify bool   `json:"insecure_skip_verify"`
		} `json:"tls"`
	} `json:"configs"`
}

// registries writes FOLDER/<registry>/hosts.toml for each mirror in FILE, as k3s does when a node starts.
func registries(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("FILE and FOLDER are missing")
	}
	content, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	var file registriesFile
	if err := yaml.Unmarshal(content, &file); err != nil {
		return err
	}
	for name, mirror := range file.Mirrors {
		var hosts strings.Builder
		for _, endpoint := range mirror.Endpoint {
			fmt.Fprintf(&hosts, "[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint)
			parsed, err := url.Parse(endpoint)
			if err != nil {
				return err
			}
			tls := file.Configs[parsed.Host].TLS
			if tls.InsecureSkipVerify {
				hosts.WriteString("  skip_verify = true\n")
			}
			if tls.CAFile != "" {
				fmt.Fprintf(&hosts, "  ca = %q\n", tls.CAFile)
			}
			if tls.CertFile != "" {
				fmt.Fprintf(&hosts, "  client = [[%q, %q]]\n", tls.CertFile, tls.KeyFile)
			}
		}
		// A star in registries.yaml is every registry without an entry of its own.
		if name == "*" {
			name = "_default"
		}
		folder := filepath.Join(arguments[1], name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(hosts.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
